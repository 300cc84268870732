/* Search without a server: browsers refuse workers on file:// pages, so there the search's script runs in a hidden
   frame. The theme's script looks for `IFrameWorker` in its parent; messages go both ways as with a worker. */
class IFrameWorker extends EventTarget {
  constructor(url) {
    super();
    const frame = document.createElement("iframe");
    frame.hidden = true;
    document.body.append(frame);
    const inner = frame.contentWindow;
    inner.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
    const load = (source) =>
      new Promise((resolve, reject) => {
        const script = inner.document.createElement("script");
        script.src = source;
        script.onload = resolve;
        script.onerror = () => reject(new Error(`cannot load ${source}`));
        inner.document.body.append(script);
      });
    inner.importScripts = async (...sources) => {
      for (const source of sources) await load(source);
    };
    this.inner = inner;
    this.ready = load(url);
  }

  postMessage(data) {
    this.ready.then(() => this.inner.dispatchEvent(new MessageEvent("message", { data })));
  }
}

if (location.protocol === "file:") {
  window.IFrameWorker = IFrameWorker;
  window.Worker = IFrameWorker;
}
