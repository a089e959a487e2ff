// A short message centre (SMSC) on npm's `smpp`, with phones behind it. Told what to do by lines of JSON
// on a control port: {"id": 1, "do": "rule", ...} is answered by {"id": 1, "ok": ...}, and what happens is
// told to everybody there by {"event": ...}. See smsc.py, which speaks to it.
//
// To ESMEs it is a real one: what they do not take (deliver_sm without an answer, or a temporary error) is
// sent again, on the next bind if the link broke. Misbehaviour is asked for.
'use strict';
const net = require('net');
const fs = require('fs');
const smpp = require('smpp');

const config = JSON.parse(process.argv[2]);
const FOR_NOW = new Set([0x08, 0x14, 0x58, 0x64]); // statuses after which a deliver_sm is tried again
const controls = new Set();
const sessions = new Set();

let world;
function reset() {
  for (const session of sessions) {
    session.unanswered.clear();
    session.destroy();
  }
  world = {
    systemId: config.systemId, password: config.password,
    rules: { '*': {} }, // by destination
    inboxes: {}, parts: {}, // phones
    queue: [], resting: 0, // deliver_sm to send, and those that are about to be sent again
    window: 10, retryMs: 50, // towards the ESME
    rate: 0, tokens: 0, filled: 0, // submits a second that are taken; 0: all
    bindStatus: 0, mute: [],
    count: { connections: 0, binds: 0, unbinds: 0, enquiries: 0, submits: 0, delivered: 0, refused: 0, most_open: 0 },
  };
}

function tell(event) {
  const line = JSON.stringify(event) + '\n';
  for (const control of controls) control.write(line);
}

// --- PDUs ---

// As the library's own, but what was read stays there to be looked at.
smpp.PDU.fromStream = (stream, length) => {
  const rest = stream.read(length - 4);
  if (!rest) return false;
  const raw = Buffer.alloc(length);
  raw.writeUInt32BE(length, 0);
  rest.copy(raw, 4);
  const pdu = new smpp.PDU(raw);
  Object.defineProperty(pdu, 'raw', { value: raw });
  return pdu;
};

const fromJson = (value) => (value && value.hex !== undefined ? Buffer.from(value.hex, 'hex') : value);

function fieldsFromJson(fields) {
  const known = {};
  for (const [name, value] of Object.entries(fields)) {
    known[name] = fromJson(value);
    if (known[name] && known[name].udh) known[name] = { ...known[name], udh: fromJson(known[name].udh) };
  }
  return known;
}

const shown = (value) => (Buffer.isBuffer(value) ? { hex: value.toString('hex') } : value);

function described(pdu) {
  const fields = {};
  for (const [name, value] of Object.entries(pdu)) {
    if (value && value.message !== undefined) {
      const udh = value.udh ? Buffer.concat(value.udh).toString('hex') : '';
      fields[name] = { message: shown(value.message), udh };
    } else fields[name] = shown(value);
  }
  return { ...fields, raw: pdu.raw.toString('hex') };
}

// --- to the ESME: texts and receipts ---

const muted = (pdu) => world.mute.includes('*') || world.mute.includes(pdu.command);

// One that is being closed is still among the sessions for a moment.
const takes = (session) => session.receives && session.socket.writable && !session.socket.destroyed;

function pump() {
  for (const session of sessions) {
    while (takes(session) && session.unanswered.size < world.window && world.queue.length) {
      send(session, world.queue.shift());
    }
  }
}

function send(session, entry) {
  entry.tries += 1;
  const answered = (response) => {
    if (muted(response)) return; // as if it had not been read
    if (session.unanswered.delete(entry.sequence) || entry.once) took(entry, response);
    pump();
  };
  if (entry.body !== undefined) {
    entry.sequence = ++session.sequence;
    const body = Buffer.from(entry.body, 'hex');
    const header = Buffer.alloc(16);
    [entry.length || 16 + body.length, entry.command_id, entry.status || 0, entry.sequence].forEach((value, at) =>
      header.writeUInt32BE(value, at * 4));
    session._callbacks[entry.sequence] = answered;
    session.socket.write(Buffer.concat([header, body]));
  } else {
    const pdu = new smpp.PDU(entry.command, fieldsFromJson(entry.fields));
    session.send(pdu, answered);
    entry.sequence = pdu.sequence_number;
  }
  if (!entry.once) session.unanswered.set(entry.sequence, entry);
}

function took(entry, response) {
  const status = response.command_status;
  const told = { event: 'answer', n: entry.n, status, tries: entry.tries, command: response.command, receipt: entry.receipt };
  if (status === 0) world.count.delivered += 1;
  else if (FOR_NOW.has(status) && !entry.once) {
    const here = world;
    here.resting += 1;
    setTimeout(() => {
      if (here !== world) return;
      world.resting -= 1;
      world.queue.unshift(entry);
      pump();
    }, world.retryMs);
  } else world.count.refused += 1;
  tell(told);
}

function lost(session) {
  sessions.delete(session);
  world.queue.unshift(...session.unanswered.values());
  session.unanswered.clear();
  tell({ event: 'closed', bound: session.bound });
  pump();
}

let entries = 0;
function enqueue(entry) {
  world.queue.push({ n: ++entries, tries: 0, command: 'deliver_sm', ...entry });
  pump();
  return entries;
}

// --- from the ESME: texts to phones ---

let ids = 0;
function newId(style) {
  ids += 1;
  if (style === 'hex') return (0xa0000 + ids).toString(16).toUpperCase();
  if (style === 'zeros') return String(ids).padStart(10, '0');
  if (style === 'long') return `3b08ca73-4244-4717-9e88-${String(ids).padStart(12, '0')}`;
  return String(1000 + ids);
}

function receiptId(id, style) {
  if (style === 'hex') return Number(id).toString(16).toUpperCase();
  if (style === 'decimal') return String(parseInt(id, 16));
  if (style === 'stripped') return id.replace(/^0+/, '');
  return id;
}

const STATES = { ENROUTE: 1, DELIVRD: 2, EXPIRED: 3, DELETED: 4, UNDELIV: 5, ACCEPTD: 6, UNKNOWN: 7, REJECTD: 8 };

function report(pdu, id, wanted) {
  const stat = wanted.stat || 'DELIVRD';
  const named = receiptId(id, wanted.ids);
  const text = wanted.text !== undefined ? wanted.text.replace('{id}', named)
    : `id:${named} sub:001 dlvrd:${stat === 'DELIVRD' ? '001' : '000'} submit date:2611210000 done date:2611210001 stat:${stat} err:${wanted.err || '000'} text:`;
  const fields = {
    source_addr_ton: pdu.dest_addr_ton, source_addr_npi: pdu.dest_addr_npi, source_addr: pdu.destination_addr,
    dest_addr_ton: pdu.source_addr_ton, dest_addr_npi: pdu.source_addr_npi, destination_addr: pdu.source_addr,
    esm_class: wanted.esm_class === undefined ? 4 : wanted.esm_class,
    short_message: { hex: Buffer.from(text, 'latin1').toString('hex') },
  };
  if (wanted.tlvs !== false) Object.assign(fields, { receipted_message_id: named, message_state: STATES[stat] });
  if (wanted.network) fields.network_error_code = { hex: wanted.network };
  return { fields, receipt: id };
}

function messageOf(pdu) {
  const short = pdu.short_message;
  return short && short.message && short.message.length ? short : pdu.message_payload || { message: '' };
}

// [key, part, parts] of a part of a longer text
function partOf(pdu) {
  if (pdu.sar_total_segments) {
    return [`${pdu.sar_msg_ref_num} ${pdu.sar_total_segments}`, pdu.sar_segment_seqnum, pdu.sar_total_segments];
  }
  for (const ie of messageOf(pdu).udh || []) {
    if (ie[0] === 0x00 && ie[1] === 3) return [`${ie[2]} ${ie[3]}`, ie[4], ie[3]];
    if (ie[0] === 0x08 && ie[1] === 4) return [`${ie.readUInt16BE(2)} ${ie[4]}`, ie[5], ie[4]];
  }
  return null;
}

function toPhone(pdu) {
  const from = pdu.source_addr, to = pdu.destination_addr, part = partOf(pdu);
  let text = String(messageOf(pdu).message);
  if (part) {
    const key = `${from} ${to} ${part[0]}`;
    const parts = (world.parts[key] = world.parts[key] || new Map());
    parts.set(part[1], text);
    if (parts.size < part[2]) return;
    delete world.parts[key];
    text = [...parts.keys()].sort((a, b) => a - b).map((at) => parts.get(at)).join('');
  }
  (world.inboxes[to] = world.inboxes[to] || []).push({ from, text });
  tell({ event: 'text', from, to, text });
}

function tooFast() {
  if (!world.rate) return false;
  const now = Date.now();
  world.tokens = Math.min(world.rate / 10 + 1, world.tokens + ((now - world.filled) * world.rate) / 1000);
  world.filled = now;
  if (world.tokens < 1) return true;
  world.tokens -= 1;
  return false;
}

function refusal(rule) {
  if (tooFast()) return 0x58;
  if (!rule.status || rule.times === 0) return 0;
  if (rule.after > 0) {
    rule.after -= 1;
    return 0;
  }
  if (rule.times > 0) rule.times -= 1;
  return rule.status;
}

function submitted(session, pdu) {
  world.count.submits += 1;
  const rule = world.rules[pdu.destination_addr] || world.rules['*'];
  const status = refusal(rule);
  const id = status ? '' : newId(rule.id);
  tell({ event: 'submit', status, id, pdu: described(pdu) });
  if (!status && rule.take !== false) toPhone(pdu);
  if (rule.drop) return session.destroy();
  if (rule.answer === false) return undefined;
  session.open += 1;
  world.count.most_open = Math.max(world.count.most_open, session.open);
  const answer = () => {
    session.open -= 1;
    tell({ event: 'answered', id });
    if (rule.nack) return session.send(new smpp.PDU('generic_nack', { command_status: rule.nack, sequence_number: pdu.sequence_number }));
    return session.send(pdu.response(status ? { command_status: status } : { message_id: id }));
  };
  const reports = status || !(pdu.registered_delivery & 1) ? [] : rule.reports || [{}];
  for (const wanted of reports.filter((each) => each.early)) enqueue(report(pdu, id, wanted));
  if (rule.delay) setTimeout(answer, rule.delay);
  else answer();
  const here = world;
  for (const wanted of reports.filter((each) => !each.early)) {
    setTimeout(() => here === world && enqueue(report(pdu, id, wanted)), wanted.ms || 0);
  }
  return undefined;
}

function bind(session, pdu) {
  world.count.binds += 1;
  const { raw, ...fields } = described(pdu);
  tell({ event: 'bind', fields });
  let status = world.bindStatus;
  if (pdu.system_id !== world.systemId) status = status || smpp.ESME_RINVSYSID;
  else if (pdu.password !== world.password) status = status || smpp.ESME_RINVPASWD;
  session.send(pdu.response(status ? { command_status: status } : { system_id: 'smsc' }));
  if (status) return session.close();
  session.bound = true;
  session.receives = pdu.command !== 'bind_transmitter';
  return setImmediate(pump);
}

function connected(session) {
  world.count.connections += 1;
  sessions.add(session);
  Object.assign(session, { unanswered: new Map(), open: 0, bound: false, receives: false });
  session.socket.setNoDelay(true);
  session.on('error', (error) => {
    console.error(String(error));
    session.destroy();
  });
  session.on('close', () => lost(session));
  session.on('pdu', (pdu) => {
    if (muted(pdu)) return tell({ event: 'muted', command: pdu.command });
    if (pdu.command.startsWith('bind_')) return bind(session, pdu);
    if (pdu.command === 'enquire_link') {
      world.count.enquiries += 1;
      tell({ event: 'enquiry' });
      return session.send(pdu.response());
    }
    if (pdu.command === 'unbind') {
      world.count.unbinds += 1;
      tell({ event: 'unbind' });
      session.receives = false;
      session.send(pdu.response());
      return session.close();
    }
    if (pdu.command === 'submit_sm') return submitted(session, pdu);
    if (!pdu.isResponse()) return session.send(pdu.response({ command_status: smpp.ESME_RINVCMDID }));
    if (pdu.command === 'unbind_resp') {
      tell({ event: 'unbound' });
      return session.close();
    }
    // What answers nothing that is waited for (an entry with `once`, or none at all).
    if (!session._callbacks[pdu.sequence_number]) tell({ event: 'stray', command: pdu.command, status: pdu.command_status });
    return undefined;
  });
}

// --- what tests ask for ---

const commands = {
  reset, // everything is forgotten, and every link broken
  set: (wanted) => void Object.assign(world, wanted),
  rule: ({ number, rule }) => void (world.rules[number] = rule),
  deliver: (entry) => enqueue(entry),
  deliver_many: ({ list }) => list.map(enqueue),
  inbox: ({ number }) => world.inboxes[number] || [],
  inboxes: () => world.inboxes,
  waiting: () => world.queue.length + world.resting + [...sessions].reduce((sum, each) => sum + each.unanswered.size, 0),
  counts: () => ({ ...world.count, sessions: [...sessions].filter((each) => each.bound).length }),
  unbind: () => sessions.forEach((each) => {
    each.receives = false;
    if (each.bound) each.send(new smpp.PDU('unbind'));
  }),
  drop: () => sessions.forEach((each) => each.destroy()),
  enquire: () => sessions.forEach((each) => each.bound && each.enquire_link({}, (pdu) => tell({ event: 'alive', status: pdu.command_status }))),
  write: ({ hex }) => sessions.forEach((each) => each.socket.write(Buffer.from(hex, 'hex'))),
};

net.createServer((control) => {
  controls.add(control);
  control.setNoDelay(true);
  control.on('error', () => {});
  control.on('close', () => controls.delete(control));
  let rest = '';
  control.on('data', (chunk) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      const { id, do: command, ...wanted } = JSON.parse(line);
      let answer;
      try {
        answer = { id, ok: commands[command](wanted) ?? null };
      } catch (error) {
        answer = { id, error: String(error) };
      }
      control.write(JSON.stringify(answer) + '\n');
    }
  });
}).listen(config.controlPort, '127.0.0.1');

reset();
smpp.createServer({}, connected).listen(config.port, '127.0.0.1');
const tls = { key: fs.readFileSync(config.keyFile), cert: fs.readFileSync(config.certFile) };
const secure = smpp.createServer(tls, connected);
secure.on('tlsClientError', (error) => tell({ event: 'tls error', text: String(error) }));
secure.listen(config.tlsPort, '127.0.0.1');
