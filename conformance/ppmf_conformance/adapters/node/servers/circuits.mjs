// SPDX-License-Identifier: Apache-2.0
// Chapter 4, "Garbled circuits": a circuit between the two servers, chunk by chunk, and the sharing of its outputs.

import { BLOCK, chunks, colours, joinElements, ofElements, xorWhere } from "./bytes.mjs";
import { evaluate, garble } from "./garbling.mjs";
import { batchKey, permute } from "./hashing.mjs";

// The lowest bits of each share, position by position (PPMF-GCB-007).
const bitsOf = (shares, width) => {
  const count = shares.length;
  const bits = new Uint8Array(width * count);
  shares.forEach((share, e) => {
    for (let [rest, t] = [share, 0]; t < width; t += 1, rest >>= 1n) bits[t * count + e] = Number(rest & 1n);
  });
  return bits;
};

// PPMF-GCB-004: the active labels of CSP's word, which both servers compute.
const garblerInputs = (key, width, count) => {
  const blocks = Buffer.alloc(BLOCK * width * count);
  for (let at = 0; at < width * count; at += 1) blocks.writeUInt32LE(at, BLOCK * at);
  return permute(key, blocks);
};

// The output words' labels: of value 0 at CSP, active ones at RecSys. `labels` are those of `tau` and `theta`, if the
// circuit takes them, of all elements.
export const run = async (server, purpose, indices, net, shares, labels = {}) => {
  const count = shares.length;
  const width = net.inputs.share0;
  const parts = chunks(count).map(([first, end], c) => {
    const size = end - first;
    const bits = bitsOf(shares.subarray(first, end), width);
    const own = Object.entries(labels).map(([name, all]) => {
      return [name, ofElements(all, all.length / (BLOCK * count), count, first, end, BLOCK)];
    });
    const inputKey = batchKey(server.place, `${purpose}/garbler-inputs`, [...indices, c]);
    const keyOf = (gate, batch) => batchKey(server.place, `${purpose}/gates`, [...indices, c, gate, batch]);
    return { size, bits, own: Object.fromEntries(own), share0: garblerInputs(inputKey, width, size), keyOf };
  });
  if (server.me === "recsys") {
    for (const one of parts) {
      const { columns, keys } = server.chooser.choose(one.bits);
      one.share1 = keys;
      server.link.send("transfer-columns", { columns });
    }
  } else {
    for (const one of parts) {
      const { columns } = await server.link.receive("transfer-columns");
      one.share1 = server.sender.take(columns, width * one.size);
    }
  }
  const found = [];
  for (const { size, bits, own, share0, share1, keyOf } of parts) {
    if (server.me === "recsys") {
      const { tables } = await server.link.receive("garbled-tables");
      found.push(evaluate(net, { share0, share1, ...own }, tables, size, keyOf));
    } else {
      const zero = { share0: xorWhere(share0, bits, server.offset), share1, ...own };
      const { tables, outputs } = garble(net, zero, server.offset, size, keyOf);
      server.link.send("garbled-tables", { tables });
      found.push(outputs);
    }
  }
  return Object.fromEntries(
    Object.entries(net.outputs).map(([name, word]) => [
      name,
      joinElements(
        found.map((one) => one[name]),
        word.length,
      ),
    ]),
  );
};

// PPMF-GCB-008: words from their labels, all shared in one message, with transfers in both directions.
export const share = async (server, words) => {
  const bits = words.map(({ labels }) => colours(labels));
  const total = bits.reduce((sum, one) => sum + one.length, 0);
  const sizes = words.map(({ labels }) => labels.length);
  const split = (keys) => {
    let at = 0;
    return sizes.map((size) => keys.subarray(at, (at += size)));
  };
  if (server.me === "recsys") {
    const { columns } = await server.link.receive("transfer-columns");
    const sent = split(server.sender.take(columns, total));
    return words.map(({ width, labels }, k) => {
      return { width, count: labels.length / BLOCK / width, bits: bits[k], sent: sent[k], chosen: labels };
    });
  }
  const { columns, keys } = server.chooser.choose(Uint8Array.from(bits.flatMap((one) => [...one])));
  server.link.send("transfer-columns", { columns });
  const chosen = split(keys);
  return words.map(({ width, labels }, k) => {
    const sent = xorWhere(labels, bits[k], server.offset);
    return { width, count: labels.length / BLOCK / width, bits: bits[k], sent, chosen: chosen[k] };
  });
};
