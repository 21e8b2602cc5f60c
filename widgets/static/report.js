// The report's charts follow the page: dark, light, or paper. Colours are tokens, replaced one for one.
(() => {
  const marks = /*LIGHT_MARKS*/{};
  const back = Object.fromEntries(Object.entries(marks).map(([dark, light]) => [light, dark]));
  const text = { dark: "#c3c9d4", light: "#3a434f", print: "#000000" };
  const grid = { dark: "rgba(154,163,178,0.16)", light: "rgba(91,101,115,0.18)", print: "rgba(0,0,0,0.14)" };
  const query = window.matchMedia("(prefers-color-scheme: dark)");

  const swap = (value, table) => {
    if (typeof value === "string") return table[value] ?? value;
    if (Array.isArray(value)) return value.map((item) => swap(item, table));
    if (value && typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype) {
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, swap(item, table)]));
    }
    return value;
  };

  const show = (mode, width) => {
    const table = mode === "dark" ? back : marks;
    for (const plot of document.querySelectorAll(".js-plotly-plot")) {
      const layout = swap({ ...plot.layout }, table);
      layout.font = { ...layout.font, color: text[mode] };
      layout.hoverlabel = { ...layout.hoverlabel, bgcolor: mode === "dark" ? "#1a1f27" : "#ffffff", font: { color: text[mode] } };
      plot.miaHeight = plot.miaHeight || layout.height;
      layout.height = width ? Math.min(plot.miaHeight, 620) : plot.miaHeight;
      // plotly wraps the picture into a box of the same height, which must not stay behind as a gap.
      plot.style.height = plot.parentElement.style.height = `${layout.height}px`;
      // Where there is little room the legend stands under the picture: above it, it would lie over the titles.
      const slim = (width || plot.clientWidth) < 760;
      const under = { y: -44 / (layout.height - 80), yanchor: "top" };
      layout.legend = { ...layout.legend, ...(slim ? under : { y: 1, yanchor: "bottom" }) };
      layout.width = width;
      layout.autosize = !width;
      for (const key of Object.keys(layout)) {
        if (/^[xy]axis/.test(key)) layout[key] = { ...layout[key], gridcolor: grid[mode], tickfont: { ...layout[key].tickfont, color: text[mode] } };
      }
      for (const note of layout.annotations || []) {
        if (note.font && note.font.color === "#727b89") note.font = { ...note.font, color: text[mode] };
        if (note.name === "stamp") note.font = { ...note.font, size: Math.min(88, (width || plot.clientWidth) / 6) };
      }
      window.Plotly.react(plot, plot.data.map((trace) => swap(trace, table)), layout, { responsive: true, displayModeBar: false });
    }
  };

  const screen = () => show(query.matches ? "dark" : "light");
  const paper = 702; // A4 less its margins, in CSS pixels
  // What is folded on a screen is lost on paper; the post-mortem of each trade has a page of its own.
  const folded = () => [...document.querySelectorAll(".mia details")].filter((part) => !part.closest("td") && !part.classList.contains("mia-quiet"));
  const unfold = () => { for (const part of folded()) { part.miaOpen = part.open; part.open = true; } };
  const fold = () => { for (const part of folded()) part.open = part.miaOpen ?? part.open; };
  window.addEventListener("load", screen);
  query.addEventListener("change", screen);
  window.addEventListener("beforeprint", () => { unfold(); show("print", paper); });
  window.addEventListener("afterprint", () => { fold(); screen(); });
})();
