// The live page's camera, picture and board. Called again whenever the data change.
const LEVELS = ["frame", "view", "joint", "form"];
const GATHER_MS = 5000, SLOW_MS = 12000, ADVICE_MS = 6000, GONE_MS = 3000, AGAIN_MS = 30000;
// Of the window, not of an element: Streamlit may draw the elements anew while the camera goes on.
const live = (window.posepipeLive ||= { n: 0, homes: new Set() });

function put(root, selector, text) {
  const element = root.querySelector(selector);
  if (element.textContent !== text) element.textContent = text;
  return element;
}

function show(root, selector, text) {
  put(root, selector, text || "").hidden = !text;
}

function beep() {
  const context = (window.posepipeAudio ||= new AudioContext());
  const tone = context.createOscillator(), volume = context.createGain(), now = context.currentTime;
  tone.frequency.value = 880;
  volume.gain.setValueAtTime(0.25, now);
  volume.gain.exponentialRampToValueAtTime(0.001, now + 0.18);
  tone.connect(volume).connect(context.destination);
  tone.start(now);
  tone.stop(now + 0.2);
}

function voiceOf(language) {
  // Only voices of this machine: others would send the text away.
  if (!window.speechSynthesis) return undefined;
  return speechSynthesis.getVoices().find(voice => voice.localService && voice.lang.startsWith(language));
}

function speak(text, language, urgent) {
  const voice = voiceOf(language);
  if (!voice) return false;
  if (!urgent && speechSynthesis.speaking) return false;
  const words = new SpeechSynthesisUtterance(text);
  words.voice = voice;
  words.lang = voice.lang;
  if (urgent) speechSynthesis.cancel();
  speechSynthesis.speak(words);
  return true;
}

// What there is to hear: a number, an announcement, or advice.
function sound(panel, data) {
  const before = panel.heard || { total: data.total, event: data.event.number, advice: "", at: 0 };
  const more = data.total > before.total, news = data.event.number > before.event;
  let { advice, at } = before;
  if (data.sound === "beep" && (more || news)) beep();
  if (data.sound === "speak") {
    if (news) speak(data.event.text, data.language, true) || beep();
    else if (more) speak(data.count, data.language, true) || beep();
    else if (data.advise && (data.say !== advice || Date.now() - at > 3 * ADVICE_MS) && Date.now() - at > ADVICE_MS) {
      if (speak(data.say, data.language, false)) [advice, at] = [data.say, Date.now()];
    }
  }
  panel.heard = { total: data.total, event: data.event.number, advice, at };
  show(panel, ".voice", data.sound === "speak" && !voiceOf(data.language) ? data.words.no_voice : "");
}

// What the camera itself does, and its recording, may go on while the connection is made anew.
function hang(camera = true) {
  live.connection?.close();
  live.connection = live.back = undefined;
  live.n = 0;
  if (!camera) return;
  live.recorder?.state === "recording" && live.recorder.stop();
  live.stream?.getTracks().forEach(track => track.stop());
  live.lock?.release().catch(() => {});
  live.stream = live.recorder = live.lock = undefined;
}

function gathered(connection) {
  return new Promise(done => {
    setTimeout(done, GATHER_MS);
    const look = () => { if (connection.iceGatheringState === "complete") done(); };
    connection.addEventListener("icegatheringstatechange", look);
    look();
  });
}

const FAULTS = { NotAllowedError: "denied", SecurityError: "denied", NotFoundError: "missing", OverconstrainedError: "missing" };

async function begin(panel, data, send, again = false) {
  panel.hint = "";
  if (!navigator.mediaDevices) { panel.hint = data.words.insecure; return; }
  hang(!again);
  panel.busy = true;
  draw(panel);
  try {
    live.stream ||= await navigator.mediaDevices.getUserMedia(data.wanted);
    const connection = live.connection = new RTCPeerConnection({ iceServers: data.servers });
    connection.ontrack = event => { live.back = event.streams[0] || new MediaStream([event.track]); draw(panel); };
    live.stream.getTracks().forEach(track => connection.addTrack(track, live.stream));
    await connection.setLocalDescription(await connection.createOffer());
    await gathered(connection);
    live.n = Date.now();
    if (data.record && !live.recorder) record(panel, data);
    if (!live.lock) navigator.wakeLock?.request("screen").then(lock => { live.lock = lock; }).catch(() => {});
    send({ what: "offer", n: live.n, sdp: connection.localDescription.sdp });
    setTimeout(() => {
      if (live.connection === connection && connection.connectionState !== "connected") {
        panel.hint = data.words.slow;
        draw(panel);
      }
    }, SLOW_MS);
  } catch (error) {
    hang();
    panel.hint = data.words[FAULTS[error.name] || "busy"];
  }
  panel.busy = false;
  draw(panel);
}

function record(panel, data) {
  if (!window.MediaRecorder) return;
  const parts = [], recorder = live.recorder = new MediaRecorder(live.stream);
  recorder.ondataavailable = event => parts.push(event.data);
  recorder.onstop = () => {
    const link = panel.querySelector(".clip"), kind = recorder.mimeType.includes("mp4") ? "mp4" : "webm";
    if (link.href) URL.revokeObjectURL(link.href);
    link.href = URL.createObjectURL(new Blob(parts, { type: recorder.mimeType }));
    link.download = `posepipe.${kind}`;
    link.textContent = data.words.clip;
    link.hidden = false;
  };
  recorder.start(1000);
}

async function full(panel, on) {
  panel.classList.toggle("full", on);
  if (on) {
    await panel.requestFullscreen?.().catch(() => {});
    // Where a browser gives no full screen to an element, it at least covers the page.
    if (!document.fullscreenElement && panel.showPopover) { panel.popover = "manual"; panel.showPopover(); }
  } else {
    if (panel.popover) { panel.hidePopover(); panel.popover = null; }
    if (document.fullscreenElement) await document.exitFullscreen().catch(() => {});
  }
  draw(panel);
}

function pictures(panel, data) {
  const video = panel.querySelector("video"), image = panel.querySelector("img");
  const back = data.browser ? live.back : undefined;
  if (video.srcObject !== (back || null)) {
    video.srcObject = back || null;
    if (back) video.play().catch(() => {});
  }
  video.hidden = !back;
  if (data.picture) image.src = data.picture;
  image.hidden = !data.picture;
  image.alt = video.ariaLabel = data.words.picture;
  const [width, height] = back ? [video.videoWidth, video.videoHeight] : [image.naturalWidth, image.naturalHeight];
  if (width && height) panel.style.setProperty("--ratio", `${width} / ${height}`);
}

function draw(panel) {
  const data = panel.data, on = data.browser ? Boolean(live.connection) || panel.busy : data.playing;
  put(panel, ".exercise", data.exercise);
  put(panel, ".set", data.set);
  put(panel, ".count", data.count).classList.toggle("long", data.count.length > 3);
  put(panel, ".target", data.target);
  put(panel, ".unit", data.unit);
  show(panel, ".rest", data.rest);
  show(panel, ".shared", data.shared);
  put(panel, ".verdict", data.verdict);
  put(panel, ".say", data.say).className = `say ${data.level}`;
  put(panel, ".speed", data.speed);
  show(panel, ".hint", data.hint || panel.hint);
  panel.querySelector(".ladder").hidden = data.level === "idle";
  const at = data.level === "good" ? LEVELS.length : LEVELS.indexOf(data.level);
  panel.querySelectorAll(".ladder li").forEach((item, k) => {
    if (item.textContent !== data.ladder[k]) item.textContent = data.ladder[k];
    item.className = k < at ? "done" : k === at ? "now" : "";
  });
  const list = panel.querySelector(".sets"), said = data.sets.join("\n");
  if (list.dataset.said !== said) {
    list.dataset.said = said;
    list.replaceChildren(...data.sets.map(text => Object.assign(document.createElement("li"), { textContent: text })));
  }
  pictures(panel, data);
  const shown = { start: !on, stop: on, pause: on, skip: on && data.endable, reset: data.begun, full: true };
  const filled = panel.classList.contains("full"), held = panel.getRootNode().activeElement;
  panel.querySelectorAll("button").forEach(button => {
    const what = button.dataset.order, word = what === "full" && filled ? "leave" : what;
    button.textContent = data.words[word];
    button.hidden = !shown[what];
    button.disabled = what === "start" && data.blocked;
  });
  // A button that goes hands on to the next, or whoever works with the keyboard would start from the page's top.
  if (held?.hidden) panel.querySelector(on ? "[data-order=pause]" : "[data-order=start]").focus();
}

export default function ({ data, parentElement: root, setTriggerValue }) {
  if (!data) return;
  const panel = root.querySelector(".trainer");
  const send = order => setTriggerValue("order", { ...order, at: Date.now() });
  panel.data = data;
  live.homes.add(panel);
  if (!panel.ready) {
    panel.ready = true;
    panel.hint = "";
    const act = what => {
      const now = panel.data;
      if (what === "start" && now.browser) begin(panel, now, panel.send);
      else if (what === "full") full(panel, !panel.classList.contains("full"));
      else {
        if (what === "stop") hang();
        panel.send({ what });
        draw(panel);
      }
    };
    panel.addEventListener("click", event => {
      const button = event.target.closest("button");
      if (button) act(button.dataset.order);
    });
    panel.addEventListener("keydown", event => {
      if (event.key === "Escape" && panel.classList.contains("full")) full(panel, false);
    });
    panel.querySelector("video").addEventListener("resize", () => draw(panel));
    document.addEventListener("fullscreenchange", () => {
      if (!document.fullscreenElement && panel.classList.contains("full") && !panel.popover) full(panel, false);
    });
    window.speechSynthesis?.addEventListener?.("voiceschanged", () => draw(panel));
  }
  panel.send = send;
  if (live.connection && data.answer && data.answer.n === live.n && live.connection.signalingState === "have-local-offer") {
    live.connection.setRemoteDescription({ type: "answer", sdp: data.answer.sdp });
  }
  // The app hung up: an error, or the connection broke. Nobody who trains comes to press a button: once more.
  if (live.connection && data.ended === live.n && live.n) {
    const told = data.hint || !data.browser;
    if (told || Date.now() - (live.again || 0) < AGAIN_MS) {
      hang();
      panel.hint = told ? "" : data.words.broke;
    } else {
      live.again = Date.now();
      begin(panel, data, send, true);
    }
  }
  draw(panel);
  sound(panel, data);
  return () => {
    live.homes.delete(panel);
    setTimeout(() => { if (!live.homes.size) hang(); }, GONE_MS);
  };
}
