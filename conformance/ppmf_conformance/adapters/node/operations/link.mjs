// SPDX-License-Identifier: Apache-2.0
// Operations of chapter 8 on the servers' link: frames, control messages, messages, streams.

import * as frames from "../servers/frames.mjs";
import { Streams, cutMessages } from "../servers/streams.mjs";
import { fromHex, hexOf } from "../users/bytes.mjs";
import { Refusal, integer, integers } from "../users/refusal.mjs";

const DIRECTIONS = ["up", "down"];
const byNumber = ([one], [other]) => (one < other ? -1 : 1);

// Bytes in hexadecimal digits, wherever they stand in an object.
const inHex = (members) =>
  Object.fromEntries(Object.entries(members).map(([name, one]) => [name, one instanceof Uint8Array ? hexOf(one) : one]));

const written = (given) => {
  const stream = given.stream === undefined ? 0n : integer(given.stream);
  switch (given.kind) {
    case "hello":
      return frames.hello({
        role: given.role,
        direction: DIRECTIONS.indexOf(given.direction),
        incarnation: fromHex(given.incarnation),
        peer: fromHex(given.peer),
        pairing: fromHex(given.pairing),
        streams: given.streams.map(integers),
      });
    case "data":
      return frames.data(stream, integer(given.offset), fromHex(given.bytes));
    case "ack":
      return frames.ack(stream, integer(given.received), integer(given.limit));
    case "reset":
      return frames.reset(stream, given.class, given.line);
    default:
      return frames.ping();
  }
};

const read = (given) => {
  const { frames: found, left } = frames.readFrames(fromHex(given.bytes));
  const shown = found.map((one) =>
    inHex(one.kind === "hello" ? { ...one, direction: DIRECTIONS[Number(one.direction)] } : one),
  );
  return { frames: shown, left: BigInt(left) };
};

const control = (given) => {
  const take = { bytes: fromHex, uint: (text) => integer(text), text: (text) => text };
  const members = Object.entries(frames.controlMembers(given.name)).map(([name, kind]) => [name, take[kind](given[name])]);
  const message = { name: given.name, key: fromHex(given.key), ...Object.fromEntries(members) };
  return { bytes: hexOf(frames.writeControl(message)) };
};

const messages = (given) => ({ messages: cutMessages(fromHex(given.bytes), integers(given.most)).map(hexOf) });

const streams = (given) => {
  const played = new Streams(given.role, given.incarnations.map(fromHex));
  const opened = new Map();
  let anew = false;
  const number = (event) => integer(event.stream);
  const stream = (event) => (number(event) === 0n ? played.open.get(0n) : opened.get(number(event)));
  const steps = {
    meet(event) {
      const [said] = frames.readFrames(fromHex(event.frame)).frames;
      const goesOn = played.meet(said);
      anew = !goesOn;
      return { goes_on: goesOn };
    },
    hello() {
      const found = played.hello(anew && given.role === "csp");
      return inHex({ ...found, streams: found.streams.sort(byNumber) });
    },
    cut() {
      played.connected = false;
      return {};
    },
    open(event) {
      opened.set(number(event), played.openOne(number(event), integer(given.window)));
      return {};
    },
    write(event) {
      stream(event).write(fromHex(event.bytes));
      return {};
    },
    take: (event) => ({ bytes: hexOf(stream(event).take(Number(event.most))) }),
    finish(event) {
      played.finish(number(event), stream(event));
      return {};
    },
    give_up(event) {
      played.giveUp(number(event), stream(event), event.class);
      return {};
    },
    frames(event) {
      try {
        frames.readFrames(fromHex(event.bytes)).frames.forEach((one) => played.hear(one));
      } catch (error) {
        played.connected = false;
        throw error;
      }
      return {};
    },
    send() {
      const { data, resets } = played.send();
      const shown = data.sort(byNumber).map(([one, { offset, bytes }]) => [one, offset, hexOf(bytes)]);
      return { data: shown, resets: resets.sort(byNumber) };
    },
  };
  const result = (event) => {
    try {
      return steps[event.do](event);
    } catch (error) {
      if (error instanceof Refusal) return { refused: error.kind };
      throw error;
    }
  };
  return { results: given.events.map(result) };
};

export const LINK = {
  "link.write_frame": (given) => ({ bytes: hexOf(written(given)) }),
  "link.read_frames": read,
  "link.write_control": control,
  "link.read_control": (given) => inHex(frames.readControl(fromHex(given.bytes))),
  "link.messages": messages,
  "link.streams": streams,
};
