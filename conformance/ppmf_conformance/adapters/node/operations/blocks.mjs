// SPDX-License-Identifier: Apache-2.0
// Operations of chapter 4: building blocks between the two servers, each by itself.

import * as base from "../servers/base_transfers.mjs";
import { correct, local, take } from "../servers/bit_products.mjs";
import { hex, range } from "../servers/bytes.mjs";
import { ofCsp, ofRecsys } from "../servers/conversion.mjs";
import { evaluate, garble } from "../servers/garbling.mjs";
import * as hashing from "../servers/hashing.mjs";
import { reciprocal, update } from "../servers/netlists.mjs";
import { agree } from "../servers/resumption.mjs";
import { Chooser, Sender } from "../servers/transfers.mjs";
import { codeOf } from "../users/code.mjs";
import { parameters } from "../users/params.mjs";
import { integer, integers, refuse } from "../users/refusal.mjs";

const placeOf = ({ session, epoch, sender }) => ({ session: hex(session), epoch: integer(epoch), sender });
const text = (bytes) => Buffer.from(bytes).toString("hex");

// Keys by element and bit become one array, position by position, and back.
const positions = (byElement) =>
  Buffer.concat(byElement[0].map((_, t) => byElement.map((keys) => hex(keys[t]))).flat());
const bitsOf = (byElement) =>
  Uint8Array.from([...byElement[0]].flatMap((_, t) => byElement.map((bits) => Number(bits[t]))));
const blocksOf = (bytes) => range(bytes.length / 16).map((at) => text(bytes.subarray(16 * at, 16 * (at + 1))));

const hashKey = (given) => ({ key: text(hashing.batchKey(placeOf(given), given.purpose, integers(given.indices))) });
const hashBlock = (given) => ({ hash: text(hashing.hash(hex(given.key), hex(given.block), [integer(given.tweak)])) });
const hashPads = (given) => {
  const length = Number(given.length);
  const pads = hashing.pads(hex(given.key), hex(given.blocks.join("")), length);
  return { pads: given.blocks.map((_, r) => [...pads.subarray(r * length, (r + 1) * length)]) };
};

const points = (given) => {
  const candidates = given.candidates.map(hex);
  const found = base.pointsOf(Number(given.choice), base.pairOf(integer(given.secret)), () => candidates.shift());
  return { points: text(found) };
};
const answer = (given) => {
  const [pair, bytes] = [base.pairOf(integer(given.secret)), hex(given.points)];
  const found = base.readPoints(bytes, 2, "points");
  const F = base.pointOf(pair);
  const seeds = found.map((point, c) =>
    text(base.seedOf(placeOf(given), integer(given.transfer), c, bytes, F, pair, point)),
  );
  return { answer: text(F), seeds };
};
const seed = (given) => {
  const [F] = base.readPoints(hex(given.answer), 1, "answer");
  const [pair, choice] = [base.pairOf(integer(given.secret)), integer(given.choice)];
  return { seed: text(base.seedOf(placeOf(given), integer(given.transfer), choice, hex(given.points), F, pair, F)) };
};

const choose = (given) => {
  const chooser = new Chooser(
    placeOf(given),
    given.seeds.map((pair) => pair.map(hex)),
  );
  const messages = given.messages.map((choices) => {
    const { columns, keys } = chooser.choose(Uint8Array.from(choices, Number));
    return { columns: text(columns), keys: blocksOf(keys) };
  });
  return { messages };
};
const send = (given) => {
  const sender = new Sender(placeOf(given), given.seeds.map(hex), hex(given.offset));
  return { keys: given.messages.map(([columns, count]) => blocksOf(sender.take(hex(columns), Number(count)))) };
};

const multiply = (given) => {
  const site = { place: placeOf(given), purpose: given.purpose, indices: integers(given.indices) };
  const [ring, signed, count] = [Number(given.ring), given.signed, given.bits.length];
  const [sent, chosen] = [given.sent, given.chosen].map(positions);
  const words = { width: given.bits[0].length, count, bits: bitsOf(given.bits), sent, chosen };
  const vectors = BigUint64Array.from(given.vectors.flatMap(integers));
  const length = vectors.length / count;
  const share = local(words, vectors, signed);
  const peer = given.me === "csp" ? "recsys" : "csp";
  const payload = correct(words, vectors, signed, site, ring, hex(given.offset), peer, share);
  take(words, length, signed, site, ring, given.me, hex(given.received), share);
  const row = (e) => [...share.subarray(e * length, (e + 1) * length)].map((value) => BigInt.asUintN(ring, value));
  return { payload: text(payload), share: range(count).map(row) };
};

const convert = (given) => {
  const code = codeOf(parameters(given.parameters));
  const [place, ring, chunk, offset] = [placeOf(given), Number(given.ring), integer(given.chunk), hex(given.offset)];
  const words = { bits: bitsOf(given.bits), sent: positions(given.sent), chosen: positions(given.chosen) };
  const received = hex(given.received);
  const found =
    given.me === "csp"
      ? ofCsp(place, ring, chunk, code, offset, words)
      : ofRecsys(place, ring, chunk, code, offset, words, received);
  const { rated, rating } = found.finish ? found.finish(received) : found;
  const shown = (values) => Array.from(values, (value) => BigInt.asUintN(ring, value));
  return { payload: text(found.payload), rated: shown(rated), rating: shown(rating) };
};

// The netlist of a plan; numbers are strings.
const netOf = ({ circuit, plan }) => {
  const number = (name) => (plan[name] === undefined || plan[name] === null ? undefined : Number(plan[name]));
  const [width, drop] = [number("width"), number("drop")];
  if (circuit === "reciprocal") {
    const weights = Object.fromEntries(Object.entries(plan.weights).map(([name, weight]) => [name, integer(weight)]));
    const [exponent, shift] = [number("exponent"), number("shift")];
    return reciprocal({ width, drop, exponent, shift, minimum: integer(plan.minimum), weights });
  }
  const [f, b, tau, theta] = ["frac_bits", "box_bits", "tau_bits", "theta_bits"].map(number);
  return circuit === "update"
    ? update({ width, drop, f, b, prox: plan.prox, tau, theta })
    : refuse("range", "circuit: unknown");
};

// The outputs by running the gates on bits.
const circuit = (given) => {
  const net = netOf(given);
  const inputs = Object.keys(net.inputs).map((name) => integers(given.inputs[name]));
  const outputs = Object.fromEntries(Object.keys(net.outputs).map((name) => [name, []]));
  inputs[0].forEach((_, e) => {
    const found = [0];
    for (const [k, width] of Object.values(net.inputs).entries())
      for (const t of range(width)) found.push(Number((BigInt.asUintN(width, inputs[k][e]) >> BigInt(t)) & 1n));
    const of = (literal) => found[literal >> 1] ^ (literal & 1);
    for (const node of net.used()) {
      const [kind, a, b] = net.nodes[node];
      found[node] = kind === "xor" ? of(a) ^ of(b) : of(a) & of(b);
    }
    for (const [name, word] of Object.entries(net.outputs)) {
      const value = word.reduce((sum, bit, t) => sum | (BigInt(of(bit)) << BigInt(t)), 0n);
      outputs[name].push(name === "word" ? BigInt.asIntN(word.length, value) : value);
    }
  });
  return { outputs, and_gates: BigInt(net.ands().length) };
};

// Labels by word, bit and element.
const labelsIn = (labels) =>
  Object.fromEntries(Object.entries(labels).map(([name, word]) => [name, hex(word.flat().join(""))]));
const labelsOut = (labels, count) =>
  Object.fromEntries(
    Object.entries(labels).map(([name, bytes]) => {
      const all = blocksOf(bytes);
      return [name, range(all.length / count).map((t) => all.slice(t * count, (t + 1) * count))];
    }),
  );
const garbled = (given) => {
  const net = netOf(given);
  const place = placeOf(given);
  const keyOf = (gate, batch) => hashing.batchKey(place, given.purpose, [...integers(given.indices), gate, batch]);
  const count = given.labels.share0[0].length;
  const labels = labelsIn(given.labels);
  if (given.tables !== undefined)
    return { labels: labelsOut(evaluate(net, labels, hex(given.tables), count, keyOf), count) };
  const { tables, outputs } = garble(net, labels, hex(given.offset), count, keyOf);
  return { tables: text(tables), labels: labelsOut(outputs, count) };
};

export const BLOCKS = {
  "hash.key": hashKey,
  "hash.block": hashBlock,
  "hash.pads": hashPads,
  "base.points": points,
  "base.answer": answer,
  "base.seed": seed,
  "ot.choose": choose,
  "ot.send": send,
  "bitmul.multiply": multiply,
  "conversion.chunk": convert,
  "circuit.evaluate": circuit,
  "garble.garble": garbled,
  "garble.evaluate": garbled,
  "resume.agree": agree,
};
