// A telephone in a page: SIP over WebSocket (RFC 7118), audio by WebRTC. It registers, answers what
// comes and calls when told; the test asks for commands to it and hears what happens. As small as a
// telephone can be: one call at a time, what it does not know it answers with 200.

import { md5 } from '/md5.js';

const config = await (await fetch('/config')).json();
const host = `${random()}.invalid`;
const socket = new WebSocket(config.url, 'sip');
const domain = new URL(config.url).host;
const via = new URL(config.url).protocol === 'wss:' ? 'WSS' : 'WS';
const me = `sip:${config.login}@${domain}`;
const contact = `<sip:${config.login}@${host};transport=ws>`;
// By Call-ID and method: what waits for an answer to a request of ours.
const waiting = new Map();
let call = null;

function random() {
  return crypto.randomUUID().replaceAll('-', '').slice(0, 12);
}

function tell(event, details = {}) {
  return fetch('/event', { method: 'POST', body: JSON.stringify({ event, ...details }) });
}

// --- messages ---

function parse(text) {
  const [head, body] = split(text, '\r\n\r\n');
  const [start, ...lines] = head.split('\r\n');
  const headers = lines.map((line) => split(line, ':').map((part) => part.trim()));
  const all = (name) =>
    headers.filter(([one]) => one.toLowerCase() === name).map(([, value]) => value);
  const response = start.startsWith('SIP/2.0 ');
  const [first, second] = start.split(' ');
  return {
    status: response ? Number(second) : 0,
    method: response ? null : first,
    get: (name) => all(name)[0] ?? '',
    all,
    body,
  };
}

function split(text, at) {
  const place = text.indexOf(at);
  return place < 0 ? [text, ''] : [text.slice(0, place), text.slice(place + at.length)];
}

function send(start, headers, body = '') {
  const lines = headers.map(([name, value]) => `${name}: ${value}`);
  if (body) lines.push('Content-Type: application/sdp');
  lines.push(`Content-Length: ${new TextEncoder().encode(body).length}`);
  socket.send(`${start}\r\n${lines.join('\r\n')}\r\n\r\n${body}`);
}

function respond(request, status, { tag, body } = {}) {
  const to = request.get('to');
  const headers = request.all('via').map((via) => ['Via', via]);
  for (const route of request.all('record-route')) headers.push(['Record-Route', route]);
  headers.push(['From', request.get('from')]);
  headers.push(['To', tag && !to.includes(';tag=') ? `${to};tag=${tag}` : to]);
  headers.push(['Call-ID', request.get('call-id')], ['CSeq', request.get('cseq')]);
  headers.push(['Contact', contact], ['Supported', 'outbound']);
  send(`SIP/2.0 ${status} ${status < 200 ? 'Ringing' : 'OK'}`, headers, body);
}

// Sends a request and waits for its final answer; a challenge is answered once.
async function request(method, dialog, body) {
  let answer = await attempt(method, dialog, body);
  const challenge = answer.get('www-authenticate') || answer.get('proxy-authenticate');
  if ((answer.status === 401 || answer.status === 407) && challenge) {
    const name = answer.status === 401 ? 'Authorization' : 'Proxy-Authorization';
    const value = credentials(method, dialog.target, challenge);
    if (method === 'INVITE') acknowledge(dialog, answer, dialog.branch);
    answer = await attempt(method, dialog, body, [[name, value]]);
  }
  return answer;
}

function attempt(method, dialog, body, more = []) {
  dialog.cseq += 1;
  dialog.branch = `z9hG4bK${random()}`;
  const headers = [
    ['Via', `SIP/2.0/${via} ${host};branch=${dialog.branch}`],
    ['Max-Forwards', '70'],
    ['From', dialog.local],
    ['To', dialog.remote],
    ['Call-ID', dialog.id],
    ['CSeq', `${dialog.cseq} ${method}`],
    ['Contact', contact],
    ...more,
  ];
  return new Promise((resolve) => {
    waiting.set(`${dialog.id} ${method}`, { resolve, dialog });
    send(`${method} ${dialog.target} SIP/2.0`, headers, body);
  });
}

function acknowledge(dialog, answer, branch = `z9hG4bK${random()}`) {
  send(`ACK ${dialog.target} SIP/2.0`, [
    ['Via', `SIP/2.0/${via} ${host};branch=${branch}`],
    ['Max-Forwards', '70'],
    ['From', dialog.local],
    ['To', answer.get('to')],
    ['Call-ID', dialog.id],
    ['CSeq', `${dialog.cseq} ACK`],
  ]);
}

// RFC 7616 with MD5, which the other telephones of the tests know.
function credentials(method, uri, challenge) {
  const field = (name) => new RegExp(`${name}="?([^",]+)`).exec(challenge)?.[1] ?? '';
  const [realm, nonce, cnonce] = [field('realm'), field('nonce'), random()];
  const secret = md5(`${config.login}:${realm}:${config.password}`);
  const asked = md5(`${method}:${uri}`);
  const answer = md5(`${secret}:${nonce}:00000001:${cnonce}:auth:${asked}`);
  return (
    `Digest username="${config.login}", realm="${realm}", nonce="${nonce}", uri="${uri}", ` +
    `response="${answer}", algorithm=MD5, cnonce="${cnonce}", nc=00000001, qop=auth`
  );
}

// --- audio ---

async function open() {
  const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const stream = await navigator.mediaDevices.getUserMedia({ audio });
  const peer = new RTCPeerConnection({ iceServers: [] });
  for (const track of stream.getTracks()) peer.addTrack(track, stream);
  if (config.codec) {
    const names = config.codec.split(' ');
    const place = ({ mimeType }) => names.indexOf(mimeType.toLowerCase().replace('audio/', ''));
    const all = RTCRtpReceiver.getCapabilities('audio').codecs;
    const events = all.filter(({ mimeType }) => mimeType === 'audio/telephone-event');
    const codecs = all.filter((codec) => place(codec) >= 0);
    codecs.sort((one, other) => place(one) - place(other));
    peer.getTransceivers()[0].setCodecPreferences([...codecs, ...events]);
  }
  peer.ontrack = ({ track }) => listen(track);
  peer.onconnectionstatechange = () => tell('connection', { state: peer.connectionState });
  return peer;
}

// SIP has no trickle here: the description goes out with the candidates that there are.
function gathered(peer) {
  return new Promise((resolve) => {
    const done = () => peer.iceGatheringState === 'complete' && resolve();
    peer.addEventListener('icegatheringstatechange', done);
    setTimeout(resolve, 2000);
    done();
  });
}

// Tells twice a second which tone is the loudest of what comes.
function listen(track) {
  const stream = new MediaStream([track]);
  // A track that nobody plays is not decoded.
  document.getElementById('speaker').srcObject = stream;
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 8192;
  context.createMediaStreamSource(stream).connect(analyser);
  const bins = new Float32Array(analyser.frequencyBinCount);
  setInterval(() => {
    analyser.getFloatFrequencyData(bins);
    const loudest = bins.reduce((best, level, at) => (level > bins[best] ? at : best), 0);
    const hertz = (loudest * context.sampleRate) / analyser.fftSize;
    tell('heard', { hertz, decibels: bins[loudest] });
  }, 500);
}

// --- calls ---

async function register() {
  const dialog = {
    id: random(),
    cseq: 0,
    target: `sip:${domain}`,
    local: `<${me}>;tag=${random()}`,
    remote: `<${me}>`,
  };
  const answer = await request('REGISTER', dialog, '');
  tell('registered', { status: answer.status });
}

async function answerCall(invite) {
  const tag = random();
  call = { tag, invite, peer: null, dialog: null };
  respond(invite, 180, { tag });
  const peer = await open();
  call.peer = peer;
  // With a=ptime Chromium knows its own codecs no more when one of them is asked for (`speak`).
  const offer = invite.body.replace(/a=ptime:.*\r\n/, '');
  await peer.setRemoteDescription({ type: 'offer', sdp: offer });
  await peer.setLocalDescription(await peer.createAnswer());
  await gathered(peer);
  respond(invite, 200, { tag, body: peer.localDescription.sdp });
  const from = invite.get('contact');
  call.dialog = {
    id: invite.get('call-id'),
    cseq: 0,
    target: /<([^>]+)>/.exec(from)?.[1] ?? from,
    local: `${invite.get('to')};tag=${tag}`,
    remote: invite.get('from'),
  };
  tell('answered', { offer: invite.body, answer: peer.localDescription.sdp });
}

// The far side offers anew in mid-call.
async function answerAgain(invite) {
  await call.peer.setRemoteDescription({ type: 'offer', sdp: invite.body });
  await call.peer.setLocalDescription(await call.peer.createAnswer());
  respond(invite, 200, { body: call.peer.localDescription.sdp });
}

async function dial(number) {
  const peer = await open();
  const dialog = {
    id: random(),
    cseq: 0,
    target: `sip:${number}@${domain}`,
    local: `<${me}>;tag=${random()}`,
    remote: `<sip:${number}@${domain}>`,
  };
  call = { peer, dialog };
  await peer.setLocalDescription(await peer.createOffer());
  await gathered(peer);
  const answer = await request('INVITE', dialog, peer.localDescription.sdp);
  if (answer.status !== 200) {
    tell('refused', { status: answer.status, offer: peer.localDescription.sdp });
    return;
  }
  dialog.remote = answer.get('to');
  dialog.target = /<([^>]+)>/.exec(answer.get('contact'))?.[1];
  acknowledge(dialog, answer);
  await peer.setRemoteDescription({ type: 'answer', sdp: answer.body });
  tell('answered', { offer: peer.localDescription.sdp, answer: answer.body });
}

// An offer of ours in mid-call: `direction` holds or goes on, `restart` begins ICE anew.
async function offerAgain(direction, restart) {
  const { peer, dialog } = call;
  if (direction) peer.getTransceivers()[0].direction = direction;
  if (restart) peer.restartIce();
  await peer.setLocalDescription(await peer.createOffer());
  await gathered(peer);
  const answer = await request('INVITE', dialog, peer.localDescription.sdp);
  acknowledge(dialog, answer);
  if (answer.status === 200) {
    await peer.setRemoteDescription({ type: 'answer', sdp: answer.body });
  }
  tell('changed', { status: answer.status, answer: answer.body });
}

// Sends another of the codecs that were agreed on from now on.
async function speak(name) {
  const [sender] = call.peer.getSenders();
  const parameters = sender.getParameters();
  const { codecs } = RTCRtpSender.getCapabilities('audio');
  const codec = codecs.find(({ mimeType }) => mimeType.toLowerCase() === `audio/${name}`);
  for (const encoding of parameters.encodings) encoding.codec = codec;
  try {
    await sender.setParameters(parameters);
  } catch (problem) {
    tell('problem', { problem: `${problem}`, codec, parameters });
    return;
  }
  tell('speaks', { codec: codec.mimeType });
}

async function hangUp() {
  const ended = call;
  call = null;
  await request('BYE', ended.dialog, '');
  ended.peer.close();
  tell('hung up');
}

function ended(by) {
  call?.peer?.close();
  call = null;
  tell('over', { by });
}

const commands = {
  dial: ({ number }) => dial(number),
  press: ({ keys }) => call.peer.getSenders()[0].dtmf.insertDTMF(keys, 120, 80),
  speak: ({ codec }) => speak(codec),
  hold: () => offerAgain('sendonly', false),
  resume: () => offerAgain('sendrecv', false),
  restart: () => offerAgain(null, true),
  'hang up': () => hangUp(),
};

socket.onmessage = ({ data }) => {
  const message = parse(data);
  if (message.status) {
    const key = `${message.get('call-id')} ${message.get('cseq').split(' ')[1]}`;
    const one = waiting.get(key);
    if (one && message.status >= 200) {
      waiting.delete(key);
      one.resolve(message);
    }
    return;
  }
  switch (message.method) {
    case 'INVITE':
      if (call) answerAgain(message);
      else answerCall(message).catch((problem) => tell('problem', { problem: `${problem}` }));
      break;
    case 'ACK':
      break;
    case 'BYE':
      respond(message, 200);
      ended('BYE');
      break;
    case 'CANCEL':
      respond(message, 200);
      ended('CANCEL');
      break;
    default:
      respond(message, 200);
  }
};

window.onunhandledrejection = ({ reason }) => tell('problem', { problem: `${reason}` });
socket.onopen = () => register();
socket.onclose = () => tell('socket closed');

for (;;) {
  const command = await (await fetch('/command')).json();
  if (command.do) {
    Promise.resolve(commands[command.do](command)).catch((problem) =>
      tell('problem', { problem: `${command.do}: ${problem}` }),
    );
  }
}
