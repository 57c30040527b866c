// SPDX-License-Identifier: Apache-2.0

//! Chapter 4, "The hash", over AES-128 (FIPS 197). What is hashed here is not secret, so that tables may be read at
//! places that depend on it.

use crate::digest::sha256;

pub type Block = [u8; 16];

/// A product in the field of AES, of polynomials mod x^8 + x^4 + x^3 + x + 1.
fn times(mut a: u8, mut b: u8) -> u8 {
    let mut product = 0;
    while b != 0 {
        if b & 1 != 0 {
            product ^= a;
        }
        a = a << 1 ^ if a & 0x80 != 0 { 0x1b } else { 0 };
        b >>= 1;
    }
    product
}

/// The inverse in the field, which is the power 254, and then the affine map.
fn substituted(byte: u8) -> u8 {
    let inverse = (0..254).fold(1, |power, _| times(power, byte));
    (0..5).fold(0x63, |sum, turn| sum ^ inverse.rotate_left(turn))
}

/// The permutation of one key.
pub struct Permutation {
    substitution: Vec<u8>,
    round_keys: Vec<Block>,
}

impl Permutation {
    pub fn new(key: Block) -> Permutation {
        let substitution: Vec<u8> = (0..=255).map(substituted).collect();
        let mut round_keys = vec![key];
        let mut constant = 1;
        for _ in 0..10 {
            let mut next = *round_keys.last().unwrap_or(&key);
            let turned = [next[13], next[14], next[15], next[12]];
            for (byte, other) in next.iter_mut().zip(turned) {
                *byte ^= substitution[usize::from(other)];
            }
            next[0] ^= constant;
            for i in 4..16 {
                next[i] ^= next[i - 4];
            }
            round_keys.push(next);
            constant = times(constant, 2);
        }
        Permutation { substitution, round_keys }
    }

    fn apply(&self, block: Block) -> Block {
        let mut state = xor(block, self.round_keys[0]);
        for (round, key) in self.round_keys.iter().enumerate().skip(1) {
            // Byte i is in row i mod 4, which is turned by as many columns.
            let mut mixed = [0; 16];
            for (i, byte) in mixed.iter_mut().enumerate() {
                *byte = self.substitution[usize::from(state[(i + 4 * (i % 4)) % 16])];
            }
            if round < 10 {
                for column in mixed.chunks_mut(4) {
                    let all = column.iter().fold(0, |sum, byte| sum ^ byte);
                    let old = column.to_vec();
                    for i in 0..4 {
                        column[i] ^= all ^ times(old[i] ^ old[(i + 1) % 4], 2);
                    }
                }
            }
            state = xor(mixed, *key);
        }
        state
    }

    /// PPMF-HSH-001
    pub fn hash(&self, block: Block, tweak: u64) -> Block {
        let mut tweak_block = [0; 16];
        tweak_block[..8].copy_from_slice(&tweak.to_le_bytes());
        let inner = self.apply(block);
        xor(self.apply(xor(inner, tweak_block)), inner)
    }

    /// The pads of some blocks, each of `length` ring elements (PPMF-HSH-005).
    pub fn pads(&self, blocks: &[Block], length: usize) -> Vec<Vec<u64>> {
        let calls = (length + 1) / 2;
        let pad = |(r, block): (usize, &Block)| {
            let hashes = (0..calls).map(|i| self.hash(*block, (r * calls + i) as u64));
            let mut pad: Vec<u64> = hashes.flat_map(elements).collect();
            pad.truncate(length);
            pad
        };
        blocks.iter().enumerate().map(pad).collect()
    }
}

fn xor(a: Block, b: Block) -> Block {
    let mut sum = a;
    for (byte, other) in sum.iter_mut().zip(b) {
        *byte ^= other;
    }
    sum
}

/// The two ring elements of a block.
fn elements(block: Block) -> [u64; 2] {
    let number = u128::from_le_bytes(block);
    [number as u64, (number >> 64) as u64]
}

/// PPMF-HSH-002
pub fn batch_key(session: &[u8], epoch: u64, purpose: &str, indices: &[u64]) -> Vec<u8> {
    let mut text = b"ppmf/v2/batch-key/".to_vec();
    text.extend(32u64.to_le_bytes());
    text.extend(session);
    text.extend(epoch.to_le_bytes());
    text.extend((purpose.len() as u64).to_le_bytes());
    text.extend(purpose.as_bytes());
    text.extend((indices.len() as u64).to_le_bytes());
    text.extend(indices.iter().flat_map(|index| index.to_le_bytes()));
    sha256(&text)[..16].to_vec()
}
