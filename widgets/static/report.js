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
      layout.height = width ? Math.min(plot.miaHeight, 640) : plot.miaHeight;
      plot.style.height = `${layout.height}px`;
      layout.width = width;
      layout.autosize = !width;
      for (const key of Object.keys(layout)) {
        if (/^[xy]axis/.test(key)) layout[key] = { ...layout[key], gridcolor: grid[mode], tickfont: { ...layout[key].tickfont, color: text[mode] } };
      }
      for (const note of layout.annotations || []) if (note.font && note.font.color === "#727b89") note.font = { ...note.font, color: text[mode] };
      window.Plotly.react(plot, plot.data.map((trace) => swap(trace, table)), layout, { responsive: true, displayModeBar: false });
    }
  };

  const screen = () => show(query.matches ? "dark" : "light");
  const paper = 702; // A4 less its margins, in CSS pixels
  window.addEventListener("load", screen);
  query.addEventListener("change", screen);
  window.addEventListener("beforeprint", () => show("print", paper));
  window.addEventListener("afterprint", screen);
})();
