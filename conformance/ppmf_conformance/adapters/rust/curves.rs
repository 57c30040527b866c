// SPDX-License-Identifier: Apache-2.0

//! Which public keys of a session are points that a party takes: of P-256 (SEC 1) and of Curve25519 (RFC 7748). All
//! of it is public, so that the time that it takes may depend on it.

use crate::int::Int;

/// The coefficient b of P-256.
const B: &str = "41058363725152142129326129780047268409114441015993725554835256314039467401291";

/// A sum of powers of two, each with its sign.
fn sparse(terms: &[(i64, u32)]) -> Int {
    terms.iter().fold(Int::default(), |sum, (sign, exponent)| &sum + &(&Int::from(*sign) << *exponent))
}

/// An integer of its bytes, the highest first.
fn from_bytes<'a>(bytes: impl Iterator<Item = &'a u8>) -> Int {
    bytes.fold(Int::default(), |sum, byte| &(&sum << 8) + &Int::from(i64::from(*byte)))
}

fn times(a: &Int, b: &Int, prime: &Int) -> Int {
    (a * b).div_mod(prime).1
}

/// Whether 33 bytes are the encoding of a point of P-256 (PPMF-OTE-009).
pub fn is_point_of_p256(bytes: &[u8]) -> bool {
    let prime = sparse(&[(1, 256), (-1, 224), (1, 192), (1, 96), (-1, 0)]);
    let x = from_bytes(bytes.iter().skip(1));
    if bytes.len() != 33 || !(2..=3).contains(&bytes[0]) || x >= prime {
        return false;
    }
    // y^2 = x^3 - 3 x + b, which is never 0: the curve has no point of order 2.
    let square = &(&x * &(&(&x * &x) - &Int::from(3))) + &Int::from_digits(B);
    // It has a root exactly if its power (prime - 1) / 2 is 1.
    let exponent = &prime >> 1;
    let power = (0..exponent.bit_length()).rev().fold(Int::from(1), |power, bit| {
        let power = times(&power, &power, &prime);
        if (&exponent >> bit).low_64_bits() & 1 == 1 {
            times(&power, &square, &prime)
        } else {
            power
        }
    });
    power == Int::from(1)
}

/// Whether 32 bytes are a point of Curve25519 of small order: every private key is a multiple of 8, and 8 times such a
/// point is the neutral one, in which the second of the two coordinates x : z is 0 (PPMF-SES-009).
pub fn is_of_small_order(bytes: &[u8]) -> bool {
    let prime = sparse(&[(1, 255), (-19, 0)]);
    // The highest of the 256 bits says nothing.
    let mut x = from_bytes(bytes.iter().rev()).div_mod(&Int::power_of_two(255)).1;
    let mut z = Int::from(1);
    for _ in 0..3 {
        let (xx, xz, zz) = (&x * &x, &x * &z, &z * &z);
        let difference = &xx - &zz;
        let sum = &(&xx + &zz) + &(&Int::from(486_662) * &xz);
        x = times(&difference, &difference, &prime);
        z = times(&(&xz << 2), &sum, &prime);
    }
    z.is_zero()
}
