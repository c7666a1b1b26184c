// Runs before the client: keyboard help, words for what is going on, links that carry a view.
(() => {
  "use strict";
  const MOUSE = [
    ["drag", "turn around the middle"],
    ["right drag", "move sideways"],
    ["wheel", "nearer and farther"],
  ];
  const KEYS = [
    ["click", "pick: id, position, attributes"],
    ["W", "wireframe on and off"],
    ["F", "flat or smooth shading"],
    ["E", "boundary, non-manifold and sharp edges"],
    ["N", "normals"],
    ["R", "back to the first view"],
    ["L", "link to this view and field"],
    ["D", "dark or light"],
    ["Space", "play a run"],
    ["← →", "one step of a run"],
    ["?", "this help"],
  ];
  // A deep link's view goes to the server with the connection: the client connects to the address
  // in "websocket", which is made here from the page's own, so that forwarded ports work too.
  const query = new URLSearchParams(window.location.search);
  if (query.has("view") && !query.has("websocket")) {
    const view = encodeURIComponent(query.get("view"));
    query.set("websocket", `${location.origin.replace(/^http/, "ws")}/?view=${view}`);
    history.replaceState(null, "", `?${query}`);
  }

  // The client moves the camera by letters and arrows, which mean something else here. It listens on
  // the document, later than this does, and takes commands one level below.
  const mine = (event) => {
    const letters = /^Key[WASDQE]$/.test(event.code);
    const steps = event.code.startsWith("Arrow") && document.querySelector(".ml-run") !== null;
    if (letters || steps) event.stopImmediatePropagation();
  };
  if (!window.__ML_EXPORT__) document.addEventListener("keydown", mine);

  const make = (tag, id, parent, html) => {
    const node = document.createElement(tag);
    node.id = id;
    node.innerHTML = html;
    parent.appendChild(node);
    return node;
  };

  const start = () => {
    const body = document.body;
    const status = make("div", "ml-status", body, "Loading…");
    status.setAttribute("role", "status");
    const keys = window.__ML_EXPORT__ ? [["?", "this help"]] : KEYS;
    const rows = [...MOUSE, ...keys].map(([key, what]) => `<tr><td><kbd>${key}</kbd></td><td>${what}</td></tr>`);
    const help = make("dialog", "ml-help", body, `<table>${rows.join("")}</table>`);
    const toggle = () => (help.open ? help.close() : help.show());
    const button = make("button", "ml-help-button", body, "?");
    button.title = "Keyboard and mouse (?)";
    button.addEventListener("click", toggle);
    help.addEventListener("click", () => help.close());
    window.addEventListener("keydown", (event) => {
      if (/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName || "")) return;
      if (event.key === "?") toggle();
      if (event.key === "Escape") help.close();
    });
    const hideWarning = () => {
      for (const node of document.querySelectorAll(".mantine-Notification-root")) {
        if (/Software WebGL/.test(node.textContent)) node.style.display = "none";
      }
    };
    if (!window.WebGL2RenderingContext) {
      status.textContent = "This browser has no WebGL 2, which the scene is drawn with.";
      return;
    }
    let alive = true;
    let simplified = false;
    window.addEventListener("ml-simplified", (event) => {
      simplified = event.detail;
      look();
    });
    const look = () => {
      hideWarning();
      const ready = window.__ML_EXPORT__ || document.querySelector("[data-ml-ready]") !== null;
      const text = !alive
        ? "The viewer has ended. Start it again and this page comes back."
        : !ready
          ? "Loading…"
          : simplified
            ? "Simplified while it moves; the whole mesh is drawn at rest."
            : "";
      status.hidden = text === "";
      if (status.textContent !== text) status.textContent = text;
    };
    new MutationObserver(look).observe(body, { childList: true, subtree: true });
    look();
    if (window.__ML_EXPORT__ || !location.protocol.startsWith("http")) return;
    setInterval(async () => {
      try {
        alive = (await fetch("alive.txt", { cache: "no-store" })).ok;
      } catch {
        alive = false;
      }
      look();
    }, 2000);
  };
  if (document.body) start();
  else document.addEventListener("DOMContentLoaded", start);
})();
