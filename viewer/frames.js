// Spares slow machines frames; runs before the client, whose loop of frames it slows down.
//
// The client asks for a frame at every message, for a while after it, and once a second for safety.
// Where the processor draws (no graphics card, a remote desktop), each frame of a large mesh takes
// a second of it. So here: frames wait until the one before is done, those for safety are rare,
// rims are not smoothed, and a simplified mesh stands in for a large one until that has come and as
// long as the camera moves.
(() => {
  "use strict";
  const SLOW = 80; // milliseconds of a frame
  const REST = 250; // milliseconds without a move, after which the whole mesh is drawn
  const MANY = 200000; // triangles
  const SAFETY = 20; // of the frames for safety, one in so many is drawn

  const getContext = HTMLCanvasElement.prototype.getContext;
  let software = null;
  const bySoftware = () => {
    if (software === null) {
      const gl = getContext.call(document.createElement("canvas"), "webgl2");
      const info = gl && gl.getExtension("WEBGL_debug_renderer_info");
      const name = gl ? gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER) : "";
      software = /swiftshader|llvmpipe|softpipe|software|basic render/i.test(String(name));
      if (gl) gl.getExtension("WEBGL_lose_context")?.loseContext();
    }
    return software;
  };
  HTMLCanvasElement.prototype.getContext = function (kind, options) {
    const fast = !new URLSearchParams(window.location.search).has("smooth"); // asked for by pictures
    if (kind === "webgl2" && options?.antialias && fast && bySoftware()) {
      options = { ...options, antialias: false };
    }
    return getContext.call(this, kind, options);
  };

  // The frames for safety come from an interval of a second: known by when they are asked for.
  let safety = false;
  const setInterval = window.setInterval;
  window.setInterval = (action, every, ...rest) => {
    if (every !== 1000 || typeof action !== "function") return setInterval(action, every, ...rest);
    const marked = (...values) => {
      safety = true;
      try {
        action(...values);
      } finally {
        safety = false;
      }
    };
    return setInterval(marked, every, ...rest);
  };

  // The client's loop waits at this door while a frame is being drawn.
  const requestFrame = window.requestAnimationFrame.bind(window);
  let running = null;
  let loop = null;
  let drawing = false;
  let waiting = null;
  window.requestAnimationFrame = (action) =>
    requestFrame((time) => {
      if (drawing && action === loop && bySoftware()) {
        waiting = action;
        return;
      }
      running = action;
      try {
        action(time);
      } finally {
        running = null;
      }
    });
  const goOn = () => {
    const action = waiting;
    waiting = null;
    if (action !== null) window.requestAnimationFrame(action);
  };

  const attach = (scene, store) => {
    const { gl: renderer, invalidate, internal, setSize } = store.getState();
    const gl = renderer.getContext();
    let cost = 0; // of the last frame of all of a large scene, in milliseconds
    let large = false; // whether the frame has many triangles
    let fence = null; // of the frame that is being drawn
    let started = 0;
    let skipped = 0;
    let down = false; // a button of the mouse
    let lastMove = -Infinity;
    let resting = false; // waits for a rest
    let whole = true; // whether the frame was of the whole scene
    const last = new Float64Array(32); // the camera of the frame before
    const report = (window.__mlFrames = { drawn: 0, cost: 0, simplified: false });

    const done = () => {
      const status = gl.isContextLost() ? gl.SIGNALED : gl.getSyncParameter(fence, gl.SYNC_STATUS);
      if (status !== gl.SIGNALED) {
        setTimeout(done, 4);
        return;
      }
      gl.deleteSync(fence);
      fence = null;
      drawing = false;
      const took = performance.now() - started;
      if (whole && large) report.cost = cost = took;
      // the browser shows what was drawn before it draws again
      setTimeout(goOn, large ? Math.min(200, took / 4) : 0);
    };
    const rest = () => {
      const wait = REST - (performance.now() - lastMove);
      resting = down || wait > 0;
      if (resting) setTimeout(rest, Math.max(20, wait));
      else invalidate();
    };

    const moved = (camera) => {
      const now = [...camera.matrixWorld.elements, ...camera.projectionMatrix.elements];
      const change = now.some((value, k) => Math.abs(value - last[k]) > 1e-9);
      last.set(now);
      return change;
    };
    // Shows simplified meshes in place of whole ones that are yet to come or, if asked to, of all.
    const simplify = (all) => {
      const nodes = window.__viserMutable.nodeRefFromName;
      let some = false;
      for (const [name, coarse] of Object.entries(nodes)) {
        if (!coarse || !name.endsWith("/coarse")) continue;
        const stem = name.slice(0, -"coarse".length);
        const surfaces = Object.keys(nodes).filter((other) => nodes[other] && other.startsWith(`${stem}surface`));
        if (surfaces.length > 0 && !all) continue;
        coarse.visible = true;
        for (const other of surfaces) nodes[other].visible = false;
        some = true;
      }
      return some;
    };

    // The client's surfaces are rough and no metals: Lambert's law looks the same and costs a third.
    const lambert = (shader) => {
      shader.fragmentShader = shader.fragmentShader
        .replace("#define STANDARD", "#undef STANDARD")
        .replace("varying vec3 vViewPosition;", "")
        .replace("#include <lights_physical_pars_fragment>", "#include <lights_lambert_pars_fragment>")
        .replace(
          "#include <lights_physical_fragment>",
          "float specularStrength = 1.0;\n#include <lights_lambert_fragment>",
        );
    };
    let law = bySoftware() ? lambert : null;
    const shade = () =>
      scene.traverse(({ material }) => {
        if (!material?.isMeshStandardMaterial || material.onBeforeCompile === law) return;
        material.onBeforeCompile = law;
        material.needsUpdate = true;
      });
    const onShaderError = renderer.debug.onShaderError;
    renderer.debug.onShaderError = (...values) => {
      if (law === lambert) law = () => {}; // another version of the client: as it would have it
      else onShaderError?.(...values);
    };

    const before = scene.onBeforeRender;
    const after = scene.onAfterRender;
    scene.onBeforeRender = (...values) => {
      before.apply(scene, values);
      if (law !== null) shade();
      const camera = values[2];
      const first = last[15] === 0;
      if (moved(camera) && !first) {
        lastMove = performance.now();
        if (!resting) setTimeout(rest, REST);
        resting = true;
      }
      const moving = down ? performance.now() - lastMove < 4 * REST : performance.now() - lastMove < REST;
      whole = !simplify(moving && cost > SLOW);
      if (report.simplified === whole) {
        report.simplified = !whole;
        window.dispatchEvent(new CustomEvent("ml-simplified", { detail: !whole }));
      }
      started = performance.now();
    };
    scene.onAfterRender = (...values) => {
      after.apply(scene, values);
      report.drawn += 1;
      large = renderer.info.render.triangles > MANY;
      if (fence === null) setTimeout(done, 1);
      else gl.deleteSync(fence);
      fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
      gl.flush();
      drawing = true;
      if (cost > SLOW) internal.frames = Math.min(internal.frames, 1);
    };
    for (const kind of ["pointerdown", "pointerup", "pointercancel"]) {
      window.addEventListener(kind, () => (down = kind === "pointerdown"), true);
    }

    const mark = () => {
      loop = running ?? loop;
    };
    internal.subscribe({ current: mark }, 0, store);

    if (!bySoftware()) return;
    // the panel's way to its place would draw the scene at each step
    window.__viserMutable.syncCanvasSize = (width, height) => {
      if (width > 0 && height > 0) setSize(width, height);
    };
    store.setState({
      invalidate: (...values) => {
        if (!safety || skipped++ % SAFETY === 0) invalidate(...values);
      },
    });
  };

  const find = setInterval(() => {
    const scene = window.__viserMutable?.scene;
    const store = scene?.__r3f?.root;
    if (!scene) return;
    clearInterval(find);
    if (store?.getState?.().gl && store.setState) attach(scene, store);
  }, 10);
})();
