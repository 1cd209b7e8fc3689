// The one WebSocket of this tab: connects, notices silence, tries again. It knows nothing of turns.

const QUIET_MS = 25_000;      // nothing heard for so long: ask
const ANSWER_MS = 10_000;     // no answer for so long: the line is dead
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;

export class Socket {
  /** on: {up, frame, down({at}), refused(code)} */
  constructor(address, on) {
    this.address = address;
    this.on = on;
    this.tries = 0;
    this.heard = 0;
    this.asked = 0;
    this.retry = 0;
    this.shut = false;
    addEventListener("online", () => this.now());
    addEventListener("pageshow", event => { if (event.persisted) this.now(); });
    document.addEventListener("visibilitychange", () => { if (!document.hidden) { if (this.isUp) this.beat(); else this.now(); } });
    setInterval(() => this.beat(), 5_000);
  }

  get isUp() { return this.socket?.readyState === WebSocket.OPEN; }

  connect() {
    clearTimeout(this.retry);
    this.retry = 0;
    const socket = this.socket = new WebSocket(this.address);
    this.asked = 0;
    const slow = setTimeout(() => this.drop(socket), ANSWER_MS);
    socket.onopen = () => {
      clearTimeout(slow);
      this.heard = Date.now();
      this.on.up();
    };
    socket.onmessage = event => {
      this.heard = Date.now();
      this.asked = 0;
      this.tries = 0;
      let frame;
      try { frame = JSON.parse(event.data); } catch { return; }
      if (frame.type !== "stet:pong") this.on.frame(frame);
    };
    socket.onclose = event => {
      clearTimeout(slow);
      if (socket !== this.socket) return;
      this.lost(event.code);
    };
  }

  lost(code) {
    this.socket = null;
    if (code === 4401 || code === 4404) {
      this.shut = true;
      this.on.refused(code);
      return;
    }
    // Full jitter over the upper half, so that a restarted server is not stormed.
    const most = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.tries++);
    const wait = most / 2 + Math.random() * most / 2;
    this.retry = setTimeout(() => this.connect(), wait);
    this.on.down({ at: Date.now() + wait, tries: this.tries });
  }

  /** Close a line that does not answer; its own close event may take minutes. */
  drop(socket = this.socket) {
    if (!socket || socket !== this.socket) return;
    socket.onclose = socket.onmessage = socket.onopen = null;
    socket.close();
    this.lost(1006);
  }

  now() {
    if (this.shut || this.isUp || this.socket?.readyState === WebSocket.CONNECTING) return;
    this.connect();
  }

  beat() {
    if (!this.isUp) return;
    const now = Date.now();
    if (this.asked && now - this.asked > ANSWER_MS) this.drop();
    else if (!this.asked && now - this.heard > QUIET_MS) {
      this.asked = now;
      this.send({ type: "stet:ping" });
    }
  }

  send(frame) {
    if (!this.isUp) return false;
    this.socket.send(JSON.stringify(frame));
    return true;
  }
}
