// SPDX-License-Identifier: Apache-2.0

//! Unbounded integers and fractions, as PPMF-FIX-002 asks for.
//!
//! A word, a step or a half gradient of a run that chapter 3 lets through would fit 128 bits. The operations that
//! take words without a parameter set that was checked (`words.round`, `half_step`), the bound, and the exact
//! profiles of a user would not, so all numbers of this adapter are of this one type.

use std::cmp::Ordering;
use std::ops::{Add, Mul, Neg, Sub};

/// A sign and a magnitude: digits to the base 2^32, the lowest first, the last one not 0. Zero has no digits and
/// is not negative.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Int {
    negative: bool,
    digits: Vec<u32>,
}

impl Int {
    fn of(negative: bool, mut digits: Vec<u32>) -> Int {
        while digits.last() == Some(&0) {
            digits.pop();
        }
        Int { negative: negative && !digits.is_empty(), digits }
    }

    pub fn power_of_two(exponent: u32) -> Int {
        &Int::from(1) << exponent
    }

    pub fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    pub fn is_negative(&self) -> bool {
        self.negative
    }

    pub fn abs(&self) -> Int {
        Int { negative: false, digits: self.digits.clone() }
    }

    /// The least `l` with |self| < 2^l.
    pub fn bit_length(&self) -> u32 {
        match self.digits.last() {
            None => 0,
            Some(top) => 32 * self.digits.len() as u32 - top.leading_zeros(),
        }
    }

    /// Reads what `Display` writes: `0`, or an optional `-` and digits of which the first is not `0`.
    pub fn parse(text: &str) -> Option<Int> {
        if is_canonical(text) {
            Some(Int::from_digits(text))
        } else {
            None
        }
    }

    /// Reads an optional `-` and ASCII digits, which the caller has checked.
    pub fn from_digits(text: &str) -> Int {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let mut magnitude = Vec::new();
        for chunk in digits.as_bytes().chunks(9) {
            let mut carry = 0u64;
            for byte in chunk {
                carry = carry * 10 + u64::from(byte - b'0');
            }
            let scale = 10u64.pow(chunk.len() as u32);
            for digit in &mut magnitude {
                carry += u64::from(*digit) * scale;
                *digit = carry as u32;
                carry >>= 32;
            }
            if carry > 0 {
                magnitude.push(carry as u32);
            }
        }
        Int::of(negative, magnitude)
    }

    /// The value, if it is of the type.
    pub fn to_i64(&self) -> Option<i64> {
        if self.digits.len() > 2 {
            return None;
        }
        let magnitude = self.digits.iter().rev().fold(0i128, |sum, digit| (sum << 32) + i128::from(*digit));
        i64::try_from(if self.negative { -magnitude } else { magnitude }).ok()
    }

    pub fn to_u64(&self) -> Option<u64> {
        if self.negative || self.digits.len() > 2 {
            return None;
        }
        Some(self.low_64_bits())
    }

    /// The lowest 64 bits, two's complement.
    pub fn low_64_bits(&self) -> u64 {
        let digit = |i: usize| u64::from(self.digits.get(i).copied().unwrap_or(0));
        let magnitude = digit(0) | digit(1) << 32;
        if self.negative {
            magnitude.wrapping_neg()
        } else {
            magnitude
        }
    }

    /// The quotient, rounded down, and the remainder, which is not negative; the divisor is above 0.
    pub fn div_mod(&self, divisor: &Int) -> (Int, Int) {
        assert!(!divisor.is_zero() && !divisor.negative, "a divisor is above 0");
        let (quotient, rest) = divide(&self.digits, &divisor.digits);
        let (quotient, rest) = (Int::of(self.negative, quotient), Int::of(self.negative, rest));
        if rest.negative {
            (&quotient - &Int::from(1), &rest + divisor)
        } else {
            (quotient, rest)
        }
    }

    pub fn div_floor(&self, divisor: &Int) -> Int {
        self.div_mod(divisor).0
    }

    /// The largest `r` with r^2 <= self, which is not negative.
    pub fn root(&self) -> Int {
        assert!(!self.negative, "a root is of no negative number");
        if self.is_zero() {
            return Int::default();
        }
        // Newton's method from above descends until it has reached the root.
        let mut root = Int::power_of_two((self.bit_length() + 1) / 2);
        loop {
            let next = &(&root + &self.div_floor(&root)) >> 1;
            if next >= root {
                return root;
            }
            root = next;
        }
    }

    fn gcd(&self, other: &Int) -> Int {
        let (mut a, mut b) = (self.digits.clone(), other.digits.clone());
        while !b.is_empty() {
            let rest = Int::of(false, divide(&a, &b).1).digits;
            a = b;
            b = rest;
        }
        Int::of(false, a)
    }
}

/// Whether the text is a canonical decimal integer (PPMF-FIX-003, PPMF-CON-003).
pub fn is_canonical(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    text == "0"
        || (!digits.is_empty() && !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

impl From<i64> for Int {
    fn from(value: i64) -> Int {
        let magnitude = value.unsigned_abs();
        Int::of(value < 0, vec![magnitude as u32, (magnitude >> 32) as u32])
    }
}

impl From<u64> for Int {
    fn from(value: u64) -> Int {
        Int::of(false, vec![value as u32, (value >> 32) as u32])
    }
}

impl From<i32> for Int {
    fn from(value: i32) -> Int {
        Int::from(i64::from(value))
    }
}

impl From<usize> for Int {
    fn from(value: usize) -> Int {
        Int::from(value as u64)
    }
}

impl Ord for Int {
    fn cmp(&self, other: &Int) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => compare(&self.digits, &other.digits),
            (true, true) => compare(&other.digits, &self.digits),
        }
    }
}

impl PartialOrd for Int {
    fn partial_cmp(&self, other: &Int) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Add for &Int {
    type Output = Int;

    fn add(self, other: &Int) -> Int {
        if self.negative == other.negative {
            return Int::of(self.negative, add(&self.digits, &other.digits));
        }
        match compare(&self.digits, &other.digits) {
            Ordering::Less => Int::of(other.negative, subtract(&other.digits, &self.digits)),
            _ => Int::of(self.negative, subtract(&self.digits, &other.digits)),
        }
    }
}

impl Neg for &Int {
    type Output = Int;

    fn neg(self) -> Int {
        Int::of(!self.negative, self.digits.clone())
    }
}

impl Sub for &Int {
    type Output = Int;

    fn sub(self, other: &Int) -> Int {
        self + &-other
    }
}

impl Mul for &Int {
    type Output = Int;

    fn mul(self, other: &Int) -> Int {
        let mut product = vec![0u32; self.digits.len() + other.digits.len()];
        for (i, a) in self.digits.iter().enumerate() {
            let mut carry = 0u64;
            for (j, b) in other.digits.iter().enumerate() {
                carry += u64::from(*a) * u64::from(*b) + u64::from(product[i + j]);
                product[i + j] = carry as u32;
                carry >>= 32;
            }
            product[i + other.digits.len()] = carry as u32;
        }
        Int::of(self.negative != other.negative, product)
    }
}

impl std::ops::Shl<u32> for &Int {
    type Output = Int;

    fn shl(self, bits: u32) -> Int {
        let mut digits = vec![0; (bits / 32) as usize];
        digits.extend(shifted_left(&self.digits, bits % 32));
        Int::of(self.negative, digits)
    }
}

/// A shift to the right rounds down, for negative numbers too (PPMF-FIX-002).
impl std::ops::Shr<u32> for &Int {
    type Output = Int;

    fn shr(self, bits: u32) -> Int {
        let whole = self.digits.len().min((bits / 32) as usize);
        let lost = self.digits[..whole].iter().any(|digit| *digit != 0)
            || self.digits.get(whole).map_or(false, |digit| digit.trailing_zeros() < bits % 32);
        let quotient = Int::of(self.negative, shifted_right(&self.digits[whole..], bits % 32));
        if self.negative && lost {
            &quotient - &Int::from(1)
        } else {
            quotient
        }
    }
}

impl std::fmt::Display for Int {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut rest = self.digits.clone();
        let mut chunks = Vec::new();
        while !rest.is_empty() {
            let (quotient, chunk) = divide_by_digit(&rest, 1_000_000_000);
            rest = Int::of(false, quotient).digits;
            chunks.push(chunk);
        }
        if self.negative {
            out.write_str("-")?;
        }
        write!(out, "{}", chunks.pop().unwrap_or(0))?;
        chunks.iter().rev().try_for_each(|chunk| write!(out, "{:09}", chunk))
    }
}

fn compare(a: &[u32], b: &[u32]) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.iter().rev().cmp(b.iter().rev()))
}

fn add(a: &[u32], b: &[u32]) -> Vec<u32> {
    let mut sum = Vec::with_capacity(a.len().max(b.len()) + 1);
    let mut carry = 0u64;
    for i in 0..a.len().max(b.len()) {
        carry += u64::from(a.get(i).copied().unwrap_or(0)) + u64::from(b.get(i).copied().unwrap_or(0));
        sum.push(carry as u32);
        carry >>= 32;
    }
    sum.push(carry as u32);
    sum
}

/// a - b, where a >= b.
fn subtract(a: &[u32], b: &[u32]) -> Vec<u32> {
    let mut difference = Vec::with_capacity(a.len());
    let mut borrow = 0i64;
    for (i, digit) in a.iter().enumerate() {
        borrow += i64::from(*digit) - i64::from(b.get(i).copied().unwrap_or(0));
        difference.push(borrow as u32);
        borrow >>= 32;
    }
    difference
}

/// A shift by less than 32 bits, with one digit more for what leaves the last one.
fn shifted_left(a: &[u32], bits: u32) -> Vec<u32> {
    let mut carry = 0u64;
    let mut shifted: Vec<u32> = a
        .iter()
        .map(|digit| {
            carry |= u64::from(*digit) << bits;
            let low = carry as u32;
            carry >>= 32;
            low
        })
        .collect();
    shifted.push(carry as u32);
    shifted
}

fn shifted_right(a: &[u32], bits: u32) -> Vec<u32> {
    (0..a.len())
        .map(|i| {
            let above = u64::from(a.get(i + 1).copied().unwrap_or(0));
            ((above << 32 | u64::from(a[i])) >> bits) as u32
        })
        .collect()
}

fn divide_by_digit(a: &[u32], b: u32) -> (Vec<u32>, u32) {
    let mut quotient = vec![0; a.len()];
    let mut rest = 0u64;
    for i in (0..a.len()).rev() {
        rest = rest << 32 | u64::from(a[i]);
        quotient[i] = (rest / u64::from(b)) as u32;
        rest %= u64::from(b);
    }
    (quotient, rest as u32)
}

/// Quotient and remainder of magnitudes by long division. The divisor is shifted until its first digit has its
/// highest bit set: a digit of the quotient that is estimated from the first two digits is then at most 2 too
/// large.
fn divide(a: &[u32], b: &[u32]) -> (Vec<u32>, Vec<u32>) {
    if compare(a, b) == Ordering::Less {
        return (Vec::new(), a.to_vec());
    }
    if b.len() == 1 {
        let (quotient, rest) = divide_by_digit(a, b[0]);
        return (quotient, vec![rest]);
    }
    let n = b.len();
    let shift = b[n - 1].leading_zeros();
    let mut rest = shifted_left(a, shift);
    let divisor = Int::of(false, shifted_left(b, shift)).digits;
    let first = u64::from(divisor[n - 1]);
    let mut quotient = vec![0; rest.len() - n];
    for i in (0..quotient.len()).rev() {
        let head = u64::from(rest[i + n]) << 32 | u64::from(rest[i + n - 1]);
        let mut guess = (head / first).min(u64::from(u32::MAX));
        let mut borrow = 0i128;
        for (j, digit) in divisor.iter().enumerate() {
            borrow += i128::from(rest[i + j]) - i128::from(guess) * i128::from(*digit);
            rest[i + j] = borrow as u32;
            borrow >>= 32;
        }
        borrow += i128::from(rest[i + n]);
        rest[i + n] = borrow as u32;
        while borrow < 0 {
            guess -= 1;
            let mut carry = 0u64;
            for (j, digit) in divisor.iter().enumerate() {
                carry += u64::from(rest[i + j]) + u64::from(*digit);
                rest[i + j] = carry as u32;
                carry >>= 32;
            }
            carry += u64::from(rest[i + n]);
            rest[i + n] = carry as u32;
            borrow += i128::from(carry >> 32);
        }
        quotient[i] = guess as u32;
    }
    rest.truncate(n);
    (quotient, shifted_right(&rest, shift))
}

/// A fraction in lowest terms, the denominator above 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fraction {
    pub numerator: Int,
    pub denominator: Int,
}

impl Fraction {
    pub fn new(numerator: &Int, denominator: &Int) -> Fraction {
        assert!(!denominator.is_zero() && !denominator.is_negative(), "a denominator is above 0");
        let common = numerator.gcd(denominator);
        Fraction { numerator: numerator.div_floor(&common), denominator: denominator.div_floor(&common) }
    }

    pub fn is_integer(&self) -> bool {
        self.denominator == Int::from(1)
    }

    /// Reads a plain decimal (PPMF-PAR-023): an optional minus sign, 1 to 300 ASCII digits, and optionally a point
    /// and 1 to 300 of them.
    pub fn parse_decimal(text: &str) -> Option<Fraction> {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let is_digits =
            |part: &str| (1..=300).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        let (whole, decimals) = match unsigned.split_once('.') {
            Some((whole, decimals)) if is_digits(decimals) => (whole, decimals),
            Some(_) => return None,
            None => (unsigned, ""),
        };
        if !is_digits(whole) {
            return None;
        }
        let sign = if text.starts_with('-') { "-" } else { "" };
        let digits = Int::from_digits(&format!("{}{}{}", sign, whole, decimals));
        Some(Fraction::new(&digits, &Int::from_digits(&format!("1{}", "0".repeat(decimals.len())))))
    }

    /// self times 2^bits, if that is an integer.
    pub fn scaled(&self, bits: u32) -> Option<Int> {
        let (quotient, rest) = (&self.numerator << bits).div_mod(&self.denominator);
        if rest.is_zero() {
            Some(quotient)
        } else {
            None
        }
    }

    /// The shortest plain decimal (PPMF-PAR-020) of a dyadic number.
    pub fn to_decimal(&self) -> String {
        let places = self.denominator.bit_length() as usize - 1;
        let fives = (0..places).fold(Int::from(1), |product, _| &product * &Int::from(5));
        let digits = format!("{:0>1$}", (&self.numerator.abs() * &fives).to_string(), places + 1);
        let (whole, decimals) = digits.split_at(digits.len() - places);
        let sign = if self.numerator.is_negative() { "-" } else { "" };
        let point = if places > 0 { "." } else { "" };
        format!("{}{}{}{}", sign, whole, point, decimals)
    }
}

impl From<Int> for Fraction {
    fn from(value: Int) -> Fraction {
        Fraction { numerator: value, denominator: Int::from(1) }
    }
}

impl Ord for Fraction {
    fn cmp(&self, other: &Fraction) -> Ordering {
        (&self.numerator * &other.denominator).cmp(&(&other.numerator * &self.denominator))
    }
}

impl PartialOrd for Fraction {
    fn partial_cmp(&self, other: &Fraction) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Add for &Fraction {
    type Output = Fraction;

    fn add(self, other: &Fraction) -> Fraction {
        let numerator = &(&self.numerator * &other.denominator) + &(&other.numerator * &self.denominator);
        Fraction::new(&numerator, &(&self.denominator * &other.denominator))
    }
}

impl Sub for &Fraction {
    type Output = Fraction;

    fn sub(self, other: &Fraction) -> Fraction {
        self + &Fraction { numerator: -&other.numerator, denominator: other.denominator.clone() }
    }
}

impl Mul for &Fraction {
    type Output = Fraction;

    fn mul(self, other: &Fraction) -> Fraction {
        Fraction::new(&(&self.numerator * &other.numerator), &(&self.denominator * &other.denominator))
    }
}

/// A fraction is written as `p/q`, an integer without a denominator (PPMF-CON-003).
impl std::fmt::Display for Fraction {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}", self.numerator)?;
        if self.is_integer() {
            Ok(())
        } else {
            write!(out, "/{}", self.denominator)
        }
    }
}
