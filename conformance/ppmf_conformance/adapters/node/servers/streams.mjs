// SPDX-License-Identifier: Apache-2.0
// The streams of the link at one server (PPMF-LNK-005 to -011): what it has sent, received and
// acknowledged, and how it goes on after a connection was lost.

import { compare, concat, numberOf } from "../users/bytes.mjs";
import { refuse } from "../users/refusal.mjs";

const CONTROL = 0n;
const CONTROL_WINDOW = 1n << 20n;
const MOST_STREAMS = 16;
const LENGTH_BYTES = 8;
const NONE = new Uint8Array();
const same = (one, other) => !compare(one, other);

// PPMF-LNK-011: the messages at the beginning of a stream, each of at most the bytes that are due.
export const cutMessages = (bytes, most) => {
  const messages = [];
  let at = 0;
  for (const longest of most) {
    if (at + LENGTH_BYTES > bytes.length) break;
    const length = numberOf(Uint8Array.from(bytes.subarray(at, at + LENGTH_BYTES)).reverse());
    if (length > longest) refuse("encoding", `a message of ${length} bytes, where ${longest} are due at most`);
    const end = at + LENGTH_BYTES + Number(length);
    if (end > bytes.length) break;
    messages.push(bytes.subarray(at + LENGTH_BYTES, end));
    at = end;
  }
  return messages;
};

class Stream {
  constructor(window) {
    Object.assign(this, { window, written: NONE, sent: 0n, acked: 0n, limit: 0n });
    Object.assign(this, { here: NONE, received: 0n, taken: 0n, lost: null, met: false, finished: false });
  }

  // PPMF-LNK-006: the count of bytes that were handed on, and the window.
  get allowed() {
    return this.taken + this.window;
  }

  get end() {
    return BigInt(this.written.length);
  }

  write(bytes) {
    if (this.lost) refuse("peer", this.lost);
    this.written = concat(this.written, bytes);
  }

  take(most) {
    if (!this.here.length && this.lost) refuse("peer", this.lost);
    const part = this.here.subarray(0, most);
    this.here = this.here.subarray(part.length);
    this.taken += BigInt(part.length);
    return part;
  }

  hear(offset, bytes) {
    const end = offset + BigInt(bytes.length);
    if (offset > this.received) refuse("state", "bytes are left out");
    if (end > this.allowed) refuse("state", "more bytes than are allowed");
    if (end <= this.received) return;
    this.here = concat(this.here, bytes.subarray(Number(this.received - offset)));
    this.received = end;
  }

  acknowledged(received, limit) {
    if (received > this.sent) refuse("state", "more is acknowledged than was sent");
    if (received > this.acked) this.acked = received;
    if (limit > this.limit) this.limit = limit;
  }

  // PPMF-LNK-007: from the byte that the peer has not received.
  goOnFrom(received, limit) {
    if (received < this.acked) refuse("state", "bytes that are gone are asked for");
    this.acknowledged(received, limit);
    this.sent = received;
  }

  // What may be sent now.
  next() {
    const end = this.limit < this.end ? this.limit : this.end;
    if (this.lost || end <= this.sent) return null;
    const found = { offset: this.sent, bytes: this.written.subarray(Number(this.sent), Number(end)) };
    this.sent = end;
    return found;
  }
}

export class Streams {
  // incarnations: those that this server draws, in turn.
  constructor(role, incarnations) {
    this.role = role;
    this.incarnations = [...incarnations];
    this.incarnation = this.incarnations.shift();
    this.forget(NONE);
  }

  // PPMF-LNK-008: all streams end, and only stream 0 is there, at offset 0.
  forget(peer) {
    for (const stream of this.open?.values() ?? []) stream.lost ??= "the peer began anew";
    this.peer = peer;
    this.connected = peer.length > 0;
    this.early = new Map(); // limits and ends of streams that are not open here, as the peer told them
    this.resets = [];
    this.open = new Map([[CONTROL, new Stream(CONTROL_WINDOW)]]);
  }

  hello(anew) {
    if (anew) return { incarnation: this.incarnation, peer: NONE, streams: [] };
    const streams = [...this.open].map(([number, one]) => [number, one.received, one.allowed]);
    return { incarnation: this.incarnation, peer: this.peer, streams };
  }

  // The peer's hello; whether both go on.
  meet(said) {
    this.connected = false;
    if (said.role === this.role) refuse("state", "a hello of this server's own role");
    if (!this.peer.length || !same(said.incarnation, this.peer) || !same(said.peer, this.incarnation)) {
      this.forget(said.incarnation);
      return false;
    }
    const named = new Map(said.streams.map(([number, ...rest]) => [number, rest]));
    try {
      for (const [number, [, limit]] of named) if (!this.open.has(number)) this.early.set(number, { limit });
      for (const [number, stream] of [...this.open]) this.goOn(number, stream, named.get(number));
    } catch (error) {
      this.incarnation = this.incarnations.shift();
      this.forget(NONE);
      throw error;
    }
    this.connected = true;
    return true;
  }

  goOn(number, stream, told) {
    if (told) {
      stream.met = true;
      stream.goOnFrom(...told);
      this.tidy(number, stream);
    } else if (stream.met) this.end(number, stream, "the peer has ended the stream");
  }

  openOne(number, window) {
    if (this.open.has(number) || this.open.size >= MOST_STREAMS) refuse("state", `stream ${number} cannot be opened`);
    const stream = new Stream(window);
    const early = this.early.get(number);
    this.early.delete(number);
    if (early?.ended) stream.lost = early.ended;
    else this.open.set(number, stream);
    if (early?.limit !== undefined) Object.assign(stream, { met: true, limit: early.limit });
    return stream;
  }

  end(number, stream, why) {
    stream.lost ??= why;
    this.open.delete(number);
  }

  giveUp(number, stream, kind) {
    if (this.open.get(number) === stream) this.resets.push([number, kind]);
    this.end(number, stream, "given up");
  }

  finish(number, stream) {
    stream.finished = true;
    this.tidy(number, stream);
  }

  // PPMF-LNK-010: the program has ended, and the peer has acknowledged all.
  tidy(number, stream) {
    if (!stream.finished || stream.acked !== stream.end) return;
    this.open.delete(number);
    this.resets.push([number, "peer"]);
  }

  hear(frame) {
    const { kind, stream: number } = frame;
    if (kind === "hello") refuse("state", "a second hello");
    if (kind === "ping") return;
    const stream = this.open.get(number);
    if (kind === "reset") {
      if (number === CONTROL) refuse("state", "stream 0 is not reset");
      if (stream) this.end(number, stream, `the peer has ended it: ${frame.class}`);
      else this.early.set(number, { ended: `the peer has ended it: ${frame.class}` });
    } else if (kind === "ack") {
      if (!stream) {
        this.early.set(number, { limit: frame.limit });
        return;
      }
      stream.met = true;
      stream.acknowledged(frame.received, frame.limit);
      this.tidy(number, stream);
    } else if (stream) {
      stream.hear(frame.offset, frame.bytes);
      if (stream.finished) stream.take(stream.here.length);
    }
  }

  // All that may be sent now.
  send() {
    if (!this.connected) return { data: [], resets: [] };
    const resets = this.resets;
    this.resets = [];
    const data = [...this.open].map(([number, one]) => [number, one.next()]).filter(([, found]) => found);
    return { data, resets };
  }
}
