// The browser's line to the desk server: frames in, commands out, and how old everything is by this page's own clock.
import { unfold } from "./draw.js";

export const STALE_MS = 2000;
const UNDRAWN_MS = 500;
const AGAIN_MS = [250, 500, 1000, 2000];

// Where the desk server is: this page itself, or below JupyterLab's base as its named server `mia`.
export function deskBase() {
  const lab = document.getElementById("jupyter-config-data");
  if (!lab) return new URL("./", location.href).href;
  return new URL(`${JSON.parse(lab.textContent).baseUrl || "/"}mia/`, location.origin).href;
}

export function readMessage(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  return unfold(header, buffer.slice(4 + length), 0);
}

export class Link {
  #answer = () => {};

  constructor(base) {
    this.base = base;
    this.frame = null;
    this.status = null;
    this.frameAt = -Infinity;
    this.statusAt = -Infinity;
    this.open = false;
    this.received = 0;
    this.listeners = new Set();
    this.tries = 0;
    this.closed = false;
    this.#connect();
  }

  #connect() {
    if (this.closed) return;
    const socket = new WebSocket(`${this.base.replace(/^http/, "ws")}ws`);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    let taken = 0, late = 0;
    const answer = () => {
      clearTimeout(late);
      late = 0;
      if (socket.readyState === WebSocket.OPEN) socket.send(String(taken));
    };
    this.#answer = () => { if (late) answer(); };
    socket.onopen = () => { this.open = true; this.tries = 0; answer(); this.#tell(); };
    socket.onmessage = ({ data }) => {
      if (typeof data === "string") {
        this.status = JSON.parse(data);
        this.statusAt = performance.now() - 1000 * (this.status.age_s || 0);
      } else {
        this.frame = readMessage(data);
        this.frameAt = performance.now();
        this.received += 1;
      }
      taken += 1;
      // The server waits for the answer: what a slow page missed is passed over, not queued. It is given when the
      // message is drawn (`drawn`), or by itself where nobody draws: in a tab behind another one.
      if (!late) late = setTimeout(answer, UNDRAWN_MS);
      this.#tell();
    };
    socket.onclose = () => {
      this.open = false;
      this.#tell();
      if (!this.closed) setTimeout(() => this.#connect(), AGAIN_MS[Math.min(this.tries++, AGAIN_MS.length - 1)]);
    };
  }

  #tell() { for (const listener of this.listeners) listener(); }

  // Whoever draws says that all that has come is on the screen.
  drawn() { this.#answer(); }

  // What the guardian last said, or null: a word older than two seconds is not a state.
  guardian() {
    const fresh = this.status && this.status.known && performance.now() - this.statusAt < STALE_MS + 500;
    return fresh ? this.status.guardian : null;
  }

  frameAge() { return performance.now() - this.frameAt; }

  why() {
    if (!this.open) return "the desk server cannot be reached";
    return (this.status && this.status.why) || "the guardian's word is too old";
  }

  // Posts one command once. What has no answer is unknown, and is said so; nothing is sent again by itself.
  command(name, body = {}) { return this.post(`command/${name}`, body); }

  async post(path, body) {
    const headers = { "Content-Type": "application/json", "X-MIA-Desk": "1" };
    const xsrf = document.cookie.match(/(?:^|; )_xsrf=([^;]+)/);
    if (xsrf) headers["X-XSRFToken"] = decodeURIComponent(xsrf[1]);
    try {
      const answer = await fetch(`${this.base}${path}`, {
        method: "POST", headers, body: JSON.stringify(body), credentials: "same-origin",
      });
      const said = await answer.json().catch(() => ({ kind: "unknown", text: `answer ${answer.status}` }));
      if (said.kind === "GuardianStatus") {
        this.status = { ...(this.status || {}), kind: "status", known: true, age_s: 0, guardian: said };
        this.statusAt = performance.now();
        this.#tell();
      }
      return said;
    } catch (error) {
      return { kind: "unknown", text: `no answer from the desk server: ${error.message}` };
    }
  }

  async read(name) {
    const answer = await fetch(`${this.base}${name}`, { credentials: "same-origin" });
    if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
    return answer.json();
  }

  on(listener) { this.listeners.add(listener); return () => this.listeners.delete(listener); }

  close() {
    this.closed = true;
    this.listeners.clear();
    if (this.socket) this.socket.close();
  }
}
