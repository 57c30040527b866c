// SPDX-License-Identifier: Apache-2.0

//! The circuits of chapter 4, "Circuits", and their normal form (PPMF-CIR-001 to -004, PPMF-CON-044).

use std::collections::{BTreeSet, HashMap};

use crate::fault::Fault;

/// Node v is the literal 2 v, its negation 2 v + 1.
type Literal = usize;

/// Literals, the lowest bit first.
type Word = Vec<Literal>;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Gate {
    Xor(Literal, Literal),
    And(Literal, Literal),
}

pub struct Netlist {
    /// The bits of all input words, which are the nodes from 1.
    inputs: usize,
    gates: Vec<Gate>,
    made: HashMap<Gate, Literal>,
    outputs: Vec<Word>,
}

/// The most bits of a number here: far more than a run has, and few enough for numbers of 128 bits.
const MOST: u64 = 100;

impl Netlist {
    /// A netlist without gates, and its input words.
    fn new(widths: &[usize]) -> (Netlist, Vec<Word>) {
        let mut inputs = 0;
        let mut words = Vec::new();
        for width in widths {
            words.push((inputs + 1..=inputs + width).map(|node| 2 * node).collect());
            inputs += width;
        }
        (Netlist { inputs, gates: Vec::new(), made: HashMap::new(), outputs: Vec::new() }, words)
    }

    /// The literal of a gate, the same one for the same operands.
    fn gate(&mut self, gate: Gate) -> Literal {
        let next = 2 * (1 + self.inputs + self.gates.len());
        let literal = *self.made.entry(gate).or_insert(next);
        if literal == next {
            self.gates.push(gate);
        }
        literal
    }

    fn xor(&mut self, a: Literal, b: Literal) -> Literal {
        let negated = (a ^ b) & 1;
        let (a, b) = (a & !1, b & !1);
        match (a.min(b), a.max(b)) {
            (left, right) if left == right => negated,
            (0, right) => right ^ negated,
            (left, right) => self.gate(Gate::Xor(left, right)) ^ negated,
        }
    }

    /// PPMF-CIR-002
    fn and(&mut self, a: Literal, b: Literal) -> Literal {
        match (a.min(b), a.max(b)) {
            (0, _) => 0,
            (left, right) if left ^ right == 1 => 0,
            (1, right) => right,
            (left, right) if left == right => right,
            (left, right) => self.gate(Gate::And(left, right)),
        }
    }

    fn or(&mut self, a: Literal, b: Literal) -> Literal {
        self.and(a ^ 1, b ^ 1) ^ 1
    }

    fn any(&mut self, bits: &[Literal]) -> Literal {
        bits.iter().fold(0, |found, bit| self.or(found, *bit))
    }

    fn all(&mut self, bits: &[Literal]) -> Literal {
        bits.iter().fold(1, |held, bit| self.and(held, *bit))
    }

    /// The sum mod 2^width, and the carry out of it.
    fn add(&mut self, x: &[Literal], y: &[Literal], mut carry: Literal) -> (Word, Literal) {
        let mut total = Vec::new();
        for (a, b) in x.iter().zip(y) {
            let differs = self.xor(*b, carry);
            total.push(self.xor(*a, differs));
            let other = self.xor(*a, carry);
            let moved = self.and(other, differs);
            carry = self.xor(carry, moved);
        }
        (total, carry)
    }

    /// The difference mod 2^width, and whether it is not negative.
    fn subtract(&mut self, x: &[Literal], y: &[Literal]) -> (Word, Literal) {
        let negated: Word = y.iter().map(|bit| bit ^ 1).collect();
        self.add(x, &negated, 1)
    }

    /// The places among the gates of the AND gates on which an output depends (PPMF-CIR-002).
    fn ands(&self) -> Vec<usize> {
        let first = 1 + self.inputs;
        let mut needed = vec![false; first + self.gates.len()];
        for bit in self.outputs.iter().flatten() {
            needed[bit >> 1] = true;
        }
        let mut found = Vec::new();
        for (place, gate) in self.gates.iter().enumerate().rev() {
            let (Gate::Xor(a, b) | Gate::And(a, b)) = *gate;
            if needed[first + place] {
                needed[a >> 1] = true;
                needed[b >> 1] = true;
                if matches!(gate, Gate::And(..)) {
                    found.push(place);
                }
            }
        }
        found.reverse();
        found
    }

    /// The number of AND gates, and the normal form (PPMF-CON-044).
    pub fn normal_form(&self) -> (usize, String) {
        let ands = self.ands();
        let mut sources: Vec<BTreeSet<usize>> = vec![BTreeSet::new()];
        sources.extend((1..=self.inputs).map(|bit| BTreeSet::from([bit])));
        let of = |sources: &[BTreeSet<usize>], literal: Literal| -> BTreeSet<usize> {
            let constant = BTreeSet::from_iter((literal & 1 == 1).then_some(0));
            &constant ^ &sources[literal >> 1]
        };
        for (place, gate) in self.gates.iter().enumerate() {
            let next = match *gate {
                Gate::Xor(a, b) => &of(&sources, a) ^ &of(&sources, b),
                Gate::And(..) => ands.binary_search(&place).map(|at| 1 + self.inputs + at).into_iter().collect(),
            };
            sources.push(next);
        }
        let operands = ands.iter().map(|place| match self.gates[*place] {
            Gate::Xor(a, b) | Gate::And(a, b) => vec![a, b],
        });
        let mut text = String::new();
        for line in operands.chain(self.outputs.iter().cloned()) {
            let sets: Vec<String> = line.iter().map(|bit| written(&of(&sources, *bit))).collect();
            text += &sets.join(" ");
            text.push('\n');
        }
        (ands.len(), text)
    }
}

fn written(sources: &BTreeSet<usize>) -> String {
    if sources.is_empty() {
        return "-".to_string();
    }
    sources.iter().map(usize::to_string).collect::<Vec<_>>().join("+")
}

/// The bits of a number; a bit above its 128 is 0.
fn constant(value: u128, width: usize) -> Word {
    (0..width).map(|i| if i < 128 { (value >> i & 1) as usize } else { 0 }).collect()
}

/// The word cut, or continued by zeros.
fn unsigned(word: &[Literal], width: usize) -> Word {
    word.iter().copied().chain(std::iter::repeat(0)).take(width).collect()
}

/// The word continued by its sign.
fn signed(word: &[Literal], width: usize) -> Word {
    let sign = word[word.len() - 1];
    word.iter().copied().chain(std::iter::repeat(sign)).take(width.max(word.len())).collect()
}

fn bit_length(value: u128) -> usize {
    (128 - value.leading_zeros()) as usize
}

/// What the plan of `reciprocal` says; the weights are those of `tau` and `theta`, as far as there are any.
pub struct Reciprocal {
    pub width: usize,
    pub drop: usize,
    pub exponent: u64,
    pub minimum: u64,
    pub weights: Vec<u64>,
    pub shift: u64,
}

/// PPMF-CIR-003
pub fn reciprocal(plan: &Reciprocal) -> Result<Netlist, Fault> {
    if plan.drop >= plan.width || plan.minimum < 1 || plan.shift < 1 || plan.exponent.max(plan.shift) > MOST {
        return Err(Fault::error("no plan of a reciprocal that this adapter computes"));
    }
    let (mut net, words) = Netlist::new(&[plan.width, plan.width]);
    let (total, _) = net.add(&words[0], &words[1], 0);
    let largest = (1 << plan.exponent) / u128::from(plan.minimum);
    let step = quotient(&mut net, plan.exponent as usize, &total[plan.drop..], bit_length(largest));
    net.outputs.push(step.clone());
    for weight in &plan.weights {
        let word = threshold(&mut net, &step, largest, *weight, plan.shift)?;
        net.outputs.push(word);
    }
    Ok(net)
}

/// floor(2^exponent / divisor), below 2^bits.
fn quotient(net: &mut Netlist, exponent: usize, divisor: &[Literal], bits: usize) -> Word {
    if bits == 0 {
        return vec![0];
    }
    let e = exponent + 1 - bits;
    let mut high = vec![0]; // high[i]: whether one of the i highest bits of the divisor is set
    for bit in divisor.iter().rev() {
        high.push(net.or(high[high.len() - 1], *bit));
    }
    let mut doubled = constant(1 << e, e + 1);
    let mut positive = 1;
    let mut found = Vec::new();
    for j in 0..bits {
        let size = (e + j + 1).min(divisor.len() + 1);
        let less: Word = unsigned(divisor, size).iter().map(|bit| net.xor(*bit, positive)).collect();
        let (remainder, _) = net.add(&unsigned(&doubled, size), &less, positive);
        let too_large = high[divisor.len().saturating_sub(e + j + 1)];
        positive = net.and(too_large ^ 1, remainder[size - 1] ^ 1);
        found.push(positive);
        doubled = std::iter::once(0).chain(remainder).collect();
    }
    found.reverse();
    found
}

/// (step weight + 2^(shift - 1)) >> shift, for a step up to `largest`.
fn threshold(net: &mut Netlist, step: &[Literal], largest: u128, weight: u64, shift: u64) -> Result<Word, Fault> {
    let half = 1u128 << (shift - 1);
    let highest = largest.checked_mul(u128::from(weight)).and_then(|product| product.checked_add(half));
    let width =
        bit_length(highest.ok_or_else(|| Fault::error("a threshold of more bits than this adapter computes"))?);
    let mut total = constant(half, width);
    // the digits 1 and -1 of the weight, of which no two are adjacent, from the lowest
    let (mut rest, mut position) = (u128::from(weight), 0);
    while rest > 0 {
        if rest & 1 == 1 {
            let word: Word = std::iter::repeat(0).take(position).chain(step.iter().copied()).collect();
            let term = unsigned(&word, width);
            if rest & 3 == 1 {
                rest -= 1;
                total = net.add(&total, &term, 0).0;
            } else {
                rest += 1;
                total = net.subtract(&total, &term).0;
            }
        }
        rest >>= 1;
        position += 1;
    }
    let word = total.split_off(width.min(shift as usize));
    Ok(if word.is_empty() { vec![0] } else { word })
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Prox {
    Nothing,
    ElasticNet,
    BinaryElasticNet,
}

/// What the plan of `update` says.
pub struct Update {
    pub width: usize,
    pub drop: usize,
    pub frac_bits: usize,
    pub box_bits: usize,
    pub prox: Prox,
    pub tau_bits: usize,
    pub theta_bits: usize,
}

/// PPMF-CIR-004
pub fn update(plan: &Update) -> Result<Netlist, Fault> {
    let (f, b) = (plan.frac_bits, plan.box_bits);
    let binary = plan.prox == Prox::BinaryElasticNet;
    if plan.drop >= plan.width || f < 1 || b < 1 || f.max(b) > MOST as usize {
        return Err(Fault::error("no plan of an update that this adapter computes"));
    }
    let mut widths = vec![plan.width, plan.width];
    if plan.prox != Prox::Nothing {
        widths.push(plan.tau_bits);
    }
    if binary {
        widths.push(plan.theta_bits);
    }
    let (mut net, words) = Netlist::new(&widths);
    let mut z = net.add(&words[0], &words[1], 0).0.split_off(plan.drop);
    let tau = words.get(2).cloned().unwrap_or_default();
    let mut jump = 0;
    if binary {
        (jump, z) = reflect(&mut net, &z, &words[3], f);
    }
    let mut word = soft(&mut net, &z, &tau, b + f, jump, f);
    if binary {
        let above = net.add(&word[f..], &constant(0, b + 1), jump).0;
        word.truncate(f);
        word.extend(above);
    }
    net.outputs.push(word);
    Ok(net)
}

/// Whether Z > 2^(f-1) - theta; and Z + 2 theta - 2^f where that is so, else Z.
fn reflect(net: &mut Netlist, z: &[Literal], theta: &[Literal], f: usize) -> (Literal, Word) {
    let width = z.len().max(f + 1);
    let z = signed(z, width + 1);
    let limit = net.subtract(&constant(1 << (f - 1), width + 1), &unsigned(theta, width + 1)).0;
    let jump = net.subtract(&limit, &z).0[width];
    let moved: Word = std::iter::once(0).chain(theta.iter().map(|bit| net.and(jump, *bit))).collect();
    let mut shift = unsigned(&moved, f);
    shift.push(jump);
    let word = net.add(&z[..width], &signed(&shift, width), 0).0;
    (jump, word)
}

/// soft(Z, tau), clamped to magnitude + 1 bits with a sign; where `jump` is set the upper end is lower by 2^f.
fn soft(net: &mut Netlist, z: &[Literal], tau: &[Literal], magnitude: usize, jump: Literal, f: usize) -> Word {
    let sign = z[z.len() - 1];
    let size = magnitude.max(tau.len()) + 1;
    let y: Word = z[..z.len() - 1].iter().map(|bit| net.xor(*bit, sign)).collect();
    let y = unsigned(&y, size.max(y.len()));
    let beyond = net.any(&y[size..]);
    let (y, reaches) = net.subtract(&y[..size], &unsigned(tau, size));
    let ones = net.all(&y[f..magnitude]);
    let full = net.and(jump, ones);
    let above = net.any(&y[magnitude..]);
    let high = net.or(above, full);
    let reached = net.and(reaches, high);
    let over = net.or(beyond, reached);
    let nothing = net.and(beyond ^ 1, reaches ^ 1);
    let keep = net.xor(over, nothing) ^ 1;
    let top = net.and(over, sign ^ 1);
    let mut word = Vec::new();
    for bit in &y[..magnitude] {
        let own = net.xor(*bit, sign);
        let kept = net.and(keep, own);
        word.push(net.xor(kept, top));
    }
    if jump != 0 {
        word[f] = net.xor(word[f], top);
    }
    word.push(net.and(sign, nothing ^ 1));
    word
}
