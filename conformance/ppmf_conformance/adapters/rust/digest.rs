// SPDX-License-Identifier: Apache-2.0

//! SHA-256 and SHAKE-256 (FIPS 180-4 and 202). Their tables are computed from what the standards say they are.

use std::convert::TryInto;

/// The first 32 bits of the fractional part of the root of the given degree, 2 or 3, of each of the first `count`
/// primes.
fn fractions_of_roots(degree: u32, count: usize) -> Vec<u32> {
    let is_prime = |n: &u128| (2..*n).all(|divisor| n % divisor != 0);
    let root = |prime: u128| {
        // The largest r with (r / 2^32)^degree <= prime: r has at most 37 bits, so r^3 fits 128 bits.
        let target = prime << (32 * degree);
        (0..37).rev().fold(0u128, |root, bit| {
            let next = root | 1 << bit;
            if next.pow(degree) <= target {
                next
            } else {
                root
            }
        }) as u32
    };
    (2u128..).filter(is_prime).take(count).map(root).collect()
}

pub fn sha256(message: &[u8]) -> [u8; 32] {
    let constants = fractions_of_roots(3, 64);
    let mut state = fractions_of_roots(2, 8);
    let mut padded = message.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend((8 * message.len() as u64).to_be_bytes());
    for block in padded.chunks(64) {
        let mut w: Vec<u32> = block.chunks(4).map(|word| u32::from_be_bytes(word.try_into().unwrap())).collect();
        for t in 16..64 {
            let s0 = w[t - 15].rotate_right(7) ^ w[t - 15].rotate_right(18) ^ w[t - 15] >> 3;
            let s1 = w[t - 2].rotate_right(17) ^ w[t - 2].rotate_right(19) ^ w[t - 2] >> 10;
            w.push(w[t - 16].wrapping_add(s0).wrapping_add(w[t - 7]).wrapping_add(s1));
        }
        let mut v = state.clone();
        for t in 0..64 {
            let s1 = v[4].rotate_right(6) ^ v[4].rotate_right(11) ^ v[4].rotate_right(25);
            let choice = v[4] & v[5] ^ !v[4] & v[6];
            let one = [s1, choice, constants[t], w[t]].iter().fold(v[7], |sum, term| sum.wrapping_add(*term));
            let s0 = v[0].rotate_right(2) ^ v[0].rotate_right(13) ^ v[0].rotate_right(22);
            let majority = v[0] & v[1] ^ v[0] & v[2] ^ v[1] & v[2];
            v.rotate_right(1);
            v[4] = v[4].wrapping_add(one);
            v[0] = one.wrapping_add(s0).wrapping_add(majority);
        }
        for (word, change) in state.iter_mut().zip(v) {
            *word = word.wrapping_add(change);
        }
    }
    let mut digest = [0; 32];
    for (bytes, word) in digest.chunks_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

const SHAKE_256_RATE: usize = 136;

/// The first `length` bytes of SHAKE-256.
pub fn shake256(message: &[u8], length: usize) -> Vec<u8> {
    let mut padded = message.to_vec();
    padded.push(0x1f);
    padded.resize((message.len() / SHAKE_256_RATE + 1) * SHAKE_256_RATE, 0);
    *padded.last_mut().unwrap() |= 0x80;
    let mut state = [0u64; 25];
    for block in padded.chunks(SHAKE_256_RATE) {
        for (lane, bytes) in state.iter_mut().zip(block.chunks(8)) {
            *lane ^= u64::from_le_bytes(bytes.try_into().unwrap());
        }
        keccak(&mut state);
    }
    let mut output = Vec::with_capacity(length + SHAKE_256_RATE);
    while output.len() < length {
        output.extend(state[..SHAKE_256_RATE / 8].iter().flat_map(|lane| lane.to_le_bytes()));
        keccak(&mut state);
    }
    output.truncate(length);
    output
}

/// The permutation Keccak-f[1600]; lane (x, y) is number x + 5 y.
fn keccak(state: &mut [u64; 25]) {
    let mut register = 1u8;
    for _ in 0..24 {
        // theta
        let mut parity = [0u64; 5];
        for i in 0..25 {
            parity[i % 5] ^= state[i];
        }
        for i in 0..25 {
            state[i] ^= parity[(i + 4) % 5] ^ parity[(i + 1) % 5].rotate_left(1);
        }
        // rho and pi
        let (mut x, mut y) = (1, 0);
        let mut moved = state[x + 5 * y];
        for t in 0..24u32 {
            let turned = moved.rotate_left((t + 1) * (t + 2) / 2 % 64);
            let (x_next, y_next) = (y, (2 * x + 3 * y) % 5);
            x = x_next;
            y = y_next;
            moved = std::mem::replace(&mut state[x + 5 * y], turned);
        }
        // chi
        for row in state.chunks_mut(5) {
            let old = row.to_vec();
            for x in 0..5 {
                row[x] = old[x] ^ !old[(x + 1) % 5] & old[(x + 2) % 5];
            }
        }
        // iota: bits of a linear feedback shift register, at the places 2^j - 1
        for j in 0..7 {
            state[0] ^= u64::from(register & 1) << ((1u32 << j) - 1);
            register = register << 1 ^ if register & 0x80 != 0 { 0x71 } else { 0 };
        }
    }
}
