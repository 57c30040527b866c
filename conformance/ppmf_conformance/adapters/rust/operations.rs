// SPDX-License-Identifier: Apache-2.0

//! The pure operations of chapter 7: from the member `in` of a call to the member `out` of its answer.

use std::collections::HashSet;
use std::convert::TryFrom;

use crate::bound;
use crate::code::Code;
use crate::digest::sha256;
use crate::fault::Fault;
use crate::fixed;
use crate::hash::{batch_key, Block, Permutation};
use crate::int::Int;
use crate::json::{hexadecimal, Json};
use crate::netlists::{reciprocal, update, Prox, Reciprocal, Update};
use crate::params::Params;
use crate::profiles::Profiles;
use crate::ratings;
use crate::session::Session;
use crate::toml;
use crate::user;
use crate::wire::{Link, Message};

type Operation = fn(&Json) -> Result<Json, Fault>;

pub static OPERATIONS: [(&str, Operation); 30] = [
    ("params.validate", params_validate),
    ("params.toml", params_toml),
    ("params.bound", params_bound),
    ("params.warn", params_warn),
    ("ratings.parse", ratings_parse),
    ("words.round", words_round),
    ("words.descend", words_descend),
    ("prox", prox),
    ("init", init),
    ("step", step),
    ("half_step", half_step),
    ("train.fixed", train_fixed),
    ("profiles.write", profiles_write),
    ("profiles.read", profiles_read),
    ("predict.ridge", predict_ridge),
    ("predict.similar", predict_similar),
    ("wire.encode", wire_encode),
    ("wire.decode", wire_decode),
    ("wire.receive", wire_receive),
    ("session.id", session_id),
    ("share.open", share_open),
    ("code.weights", code_weights),
    ("code.encode", code_encode),
    ("code.decode", code_decode),
    ("upload.plain", upload_plain),
    ("upload.row", upload_row),
    ("hash.key", hash_key),
    ("hash.block", hash_block),
    ("hash.pads", hash_pads),
    ("circuit.netlist", circuit_netlist),
];

/// The most numbers of an answer, the most numbers of half-steps that are shown beside one, the most products of a
/// training, and the largest system of a profile. A call asks for more in a few bytes, and would never be answered.
const MAX_NUMBERS: usize = 1 << 22;
const MAX_SHOWN: usize = 1 << 16;
const MAX_PRODUCTS: usize = 1 << 27;
const MAX_SYSTEM: usize = 64;

/// The most bits of an input word of a circuit.
const MAX_WIDTH: usize = 256;

fn check_size(what: &str, factors: &[usize], most: usize) -> Result<(), Fault> {
    if factors.iter().fold(1, |product: usize, factor| product.saturating_mul(*factor)) > most {
        return Err(Fault::error(format!("{} more than this adapter computes", what)));
    }
    Ok(())
}

fn described(params: &Params) -> Json {
    Json::object(vec![("canonical", Json::text(params.canonical())), ("digest", hexadecimal(&params.digest()))])
}

fn params_validate(call: &Json) -> Result<Json, Fault> {
    Ok(described(&Params::from_call(call)?))
}

fn params_toml(call: &Json) -> Result<Json, Fault> {
    let values = toml::read(call.member("toml")?.as_text()?).map_err(Fault::parameters)?;
    Ok(described(&Params::new(values)?))
}

fn params_bound(call: &Json) -> Result<Json, Fault> {
    let params = Params::from_call(call)?;
    let found = bound::bound(&params, &call.member("users")?.as_int()?, &call.member("items")?.as_int()?)?;
    Ok(Json::object(vec![
        ("bound", Json::text(found.bound)),
        ("width", Json::text(found.width)),
        ("ring", Json::text(found.ring)),
    ]))
}

fn params_warn(call: &Json) -> Result<Json, Fault> {
    let params = Params::from_call(call)?;
    let (users, items) = (call.member("users")?.as_int()?, call.member("items")?.as_int()?);
    bound::bound(&params, &users, &items)?;
    Ok(Json::object(vec![("idle", Json::Bool(bound::is_idle(&params, &users, &items)))]))
}

/// Users and items in row order, and the ratings as row, column and x.
type Matrix = (Vec<String>, Vec<String>, Vec<(usize, usize, Int)>);

fn matrix(params: &Params, call: &Json) -> Result<Matrix, Fault> {
    let (users, items) = (call.member("users")?.as_texts()?, call.member("items")?.as_texts()?);
    ratings::check_ids("users", &users)?;
    ratings::check_ids("items", &items)?;
    let (users, items) = (ratings::in_row_order(&users), ratings::in_row_order(&items));
    let triples: Vec<Vec<String>> =
        call.member("ratings")?.as_list()?.iter().map(Json::as_texts).collect::<Result<_, _>>()?;
    let entries = ratings::entries(&params.scale(), &users, &items, &triples)?;
    Ok((users, items, entries))
}

fn ratings_parse(call: &Json) -> Result<Json, Fault> {
    let (users, items, entries) = matrix(&Params::from_call(call)?, call)?;
    let triple = |(row, column, x): &(usize, usize, Int)| vec![row.to_string(), column.to_string(), x.to_string()];
    let values: Vec<Vec<String>> = entries.iter().map(triple).collect();
    Ok(Json::object(vec![
        ("users", Json::texts(&users)),
        ("items", Json::texts(&items)),
        ("values", Json::rows(&values)),
    ]))
}

fn words_round(call: &Json) -> Result<Json, Fault> {
    let (a, b) = (call.member("a")?.as_int()?, call.member("b")?.as_int()?);
    if b <= Int::default() {
        return Err(Fault::error("b must be above 0 (PPMF-FIX-001)"));
    }
    Ok(Json::object(vec![("value", Json::text(fixed::round_half_up(&a, &b)))]))
}

fn words_descend(call: &Json) -> Result<Json, Fault> {
    let params = Params::from_call(call)?;
    let list = |name: &str| call.member(name)?.as_ints();
    let (x, before, gradient, steps) = (list("x")?, list("previous")?, list("gradient")?, list("steps")?);
    if [&before, &gradient, &steps].iter().any(|other| other.len() != x.len()) {
        return Err(Fault::error("the lists of the call are not of one length"));
    }
    let z: Vec<Int> =
        (0..x.len()).map(|k| fixed::descend(&params, &x[k], &before[k], &steps[k], &gradient[k])).collect();
    Ok(Json::object(vec![("z", Json::texts(&z))]))
}

fn prox(call: &Json) -> Result<Json, Fault> {
    let params = Params::from_call(call)?;
    let (tau, theta) = (call.member("tau")?.as_int()?, call.member("theta")?.as_int()?);
    let is_factor = match call.member("coordinate")?.as_text()? {
        "factor" => true,
        "bias" => false,
        _ => return Err(Fault::error("the coordinate is neither factor nor bias")),
    };
    let word = |z: &Int| {
        if is_factor {
            fixed::factor_word(&params, z, &tau, &theta)
        } else {
            fixed::saturated(&params, z)
        }
    };
    let words: Vec<Int> = call.member("z")?.as_ints()?.iter().map(word).collect();
    Ok(Json::object(vec![("words", Json::texts(&words))]))
}

fn init(call: &Json) -> Result<Json, Fault> {
    let params = Params::from_call(call)?;
    let (users, items) = (call.member("users")?, call.member("items")?);
    bound::check_rows(&users.as_int()?, &items.as_int()?)?;
    let (users, items) = (users.as_index()?, items.as_index()?);
    check_size("the sides have", &[users + items, params.row_length()], MAX_NUMBERS)?;
    let (u, v) = fixed::start(&params, users, items);
    Ok(Json::object(vec![("users", Json::rows(&u)), ("items", Json::rows(&v))]))
}

fn or_null(value: Option<&Int>) -> Json {
    value.map_or(Json::Null, Json::text)
}

fn step(call: &Json) -> Result<Json, Fault> {
    let params = Params::from_call(call)?;
    let (count, squares) = (call.member("count")?.as_int()?, call.member("squares")?.as_int()?);
    if count.is_negative() || squares.is_negative() {
        return Err(Fault::error("neither the count nor the squares can be negative"));
    }
    let steps = fixed::steps(&params, &count, &squares);
    Ok(Json::object(vec![
        ("curvature", Json::text(&steps.curvature)),
        ("factors", Json::text(&steps.factors)),
        ("bias", or_null(steps.bias.as_ref())),
        ("tau", Json::text(&steps.tau)),
        ("theta", Json::text(&steps.theta)),
    ]))
}

fn half_step(call: &Json) -> Result<Json, Fault> {
    let params = Params::from_call(call)?;
    let side = |name: &str| call.member(name)?.as_rows(params.row_length());
    let (mut rows, mut previous, other) = (side("rows")?, side("previous")?, side("other")?);
    let rated: Vec<fixed::Rated> =
        call.member("rated")?.as_list()?.iter().map(|row| rated_row(row, other.len())).collect::<Result<_, _>>()?;
    if previous.len() != rows.len() || rated.len() != rows.len() {
        return Err(Fault::error("the lists of the call are not of one length"));
    }
    let (inner_steps, length) = (params.inner_steps as usize, params.row_length());
    let counterparts: usize = rated.iter().map(Vec::len).sum();
    check_size("the inner steps have", &[rows.len(), length, inner_steps], MAX_NUMBERS)?;
    check_size("the inner steps need", &[counterparts, length, inner_steps], MAX_PRODUCTS)?;
    let seen = fixed::half_step(&params, &mut rows, &mut previous, &other, &rated);
    let by_row = |value: fn(&fixed::Steps) -> Json| Json::List(seen.steps.iter().map(value).collect());
    Ok(Json::object(vec![
        ("counts", Json::List(rated.iter().map(|row| Json::text(row.len())).collect())),
        ("squares", Json::texts(&seen.squares)),
        ("factor_steps", by_row(|steps| Json::text(&steps.factors))),
        ("bias_steps", by_row(|steps| or_null(steps.bias.as_ref()))),
        ("taus", by_row(|steps| Json::text(&steps.tau))),
        ("thetas", by_row(|steps| Json::text(&steps.theta))),
        ("z", Json::List(seen.z.iter().map(|side| Json::rows(side)).collect())),
        ("rows", Json::rows(&rows)),
        ("previous", Json::rows(&previous)),
    ]))
}

fn rated_row(row: &Json, others: usize) -> Result<fixed::Rated, Fault> {
    let numbers = row.member("rows")?.as_list()?.iter().map(Json::as_index).collect::<Result<Vec<_>, _>>()?;
    let values = row.member("values")?.as_ints()?;
    if numbers.len() != values.len() || numbers.iter().any(|number| *number >= others) {
        return Err(Fault::error("a row of rated does not fit the other side"));
    }
    Ok(numbers.into_iter().zip(values).collect())
}

/// Factors and biases of a side, apart; `null` in the place of the biases without them.
fn apart(params: &Params, side: &[Vec<Int>]) -> (Json, Json) {
    let factors: Vec<Vec<&Int>> = side.iter().map(|row| row[..params.rank].iter().collect()).collect();
    let bias: Vec<&Int> = side.iter().filter_map(|row| row.get(params.rank)).collect();
    (Json::rows(&factors), if params.bias { Json::texts(&bias) } else { Json::Null })
}

fn train_fixed(call: &Json) -> Result<Json, Fault> {
    let params = Params::from_call(call)?;
    let (users, items, entries) = matrix(&params, call)?;
    bound::bound(&params, &Int::from(users.len()), &Int::from(items.len()))?;
    let (rows, length) = (users.len() + items.len(), params.row_length());
    let (iterations, inner_steps) = (params.iterations as usize, params.inner_steps as usize);
    check_size("the training needs", &[rows + 2 * entries.len(), length, iterations, inner_steps], MAX_PRODUCTS)?;
    let is_shown = check_size("", &[rows, length, iterations], MAX_SHOWN).is_ok();
    let mut half_steps = Vec::new();
    let v = fixed::train(&params, users.len(), items.len(), &entries, |iteration, is_users, side| {
        if is_shown {
            half_steps.push(Json::object(vec![
                ("iteration", Json::text(iteration)),
                ("side", Json::text(if is_users { "users" } else { "items" })),
                ("rows", Json::rows(side)),
            ]));
        }
    });
    let (factors, bias) = apart(&params, &v);
    let mut out = vec![("items", Json::texts(&items)), ("factors", factors), ("bias", bias)];
    if is_shown {
        out.push(("half_steps", Json::List(half_steps)));
    }
    Ok(Json::object(out))
}

fn profiles_write(call: &Json) -> Result<Json, Fault> {
    Ok(Json::object(vec![("text", Json::text(Profiles::from_call(call)?.write()))]))
}

fn profiles_read(call: &Json) -> Result<Json, Fault> {
    Ok(Json::object(vec![("profiles", Profiles::read(call.member("text")?.as_text()?)?.to_json())]))
}

fn predict_ridge(call: &Json) -> Result<Json, Fault> {
    let profiles = Profiles::from_call(call)?;
    // The one user has an id of no consequence.
    let user = "0".to_string();
    let mut ratings: Vec<Vec<String>> =
        call.member("ratings")?.as_list()?.iter().map(Json::as_texts).collect::<Result<_, _>>()?;
    for rating in &mut ratings {
        rating.insert(0, user.clone());
    }
    let entries = ratings::entries(&profiles.scale(), &[user], &profiles.items, &ratings)?;
    let rated: Vec<(usize, Int)> = entries.into_iter().map(|(_, item, x)| (item, x)).collect();
    check_size("the profile needs", &[profiles.rank], MAX_SYSTEM)?;
    let profile = user::profile(&profiles, &rated)?;
    let top = user::top(&profiles, &profile, &rated, &call.member("count")?.as_int()?)?;
    let numbers = ratings::numbers(&profiles.items);
    let mut predictions = Vec::new();
    for id in call.member("items")?.as_texts()? {
        let item = numbers.get(id.as_str()).ok_or_else(|| Fault::range("an item that the profiles have not"))?;
        predictions.push(user::prediction(&profiles, &profile, *item));
    }
    let clipped: Vec<_> = predictions.iter().map(|prediction| user::clipped(&profiles, prediction)).collect();
    Ok(Json::object(vec![
        ("factors", Json::texts(&profile.factors)),
        ("bias", Json::text(&profile.bias)),
        ("predictions", Json::texts(&predictions)),
        ("clipped", Json::texts(&clipped)),
        ("top", ids(&profiles, &top)),
    ]))
}

fn ids(profiles: &Profiles, rows: &[usize]) -> Json {
    Json::List(rows.iter().map(|row| Json::text(&profiles.items[*row])).collect())
}

fn predict_similar(call: &Json) -> Result<Json, Fault> {
    let profiles = Profiles::from_call(call)?;
    let numbers = ratings::numbers(&profiles.items);
    let item = *numbers
        .get(call.member("item")?.as_text()?)
        .ok_or_else(|| Fault::range("an item that the profiles have not (PPMF-RDG-008)"))?;
    let rows = user::similar(&profiles, item, &call.member("count")?.as_int()?)?;
    Ok(Json::object(vec![("items", ids(&profiles, &rows))]))
}

fn wire_encode(call: &Json) -> Result<Json, Fault> {
    Ok(Json::object(vec![("bytes", hexadecimal(&Message::from_call(call)?.encode()))]))
}

fn wire_decode(call: &Json) -> Result<Json, Fault> {
    Ok(Message::decode(&call.member("bytes")?.as_bytes()?)?.to_json())
}

fn wire_receive(call: &Json) -> Result<Json, Fault> {
    let session = call.member("session")?.as_bytes()?;
    let link = Link {
        session: &session,
        epoch: as_u64(call.member("epoch")?)?,
        sender: call.member("sender")?.as_text()?,
        receiver: call.member("receiver")?.as_text()?,
    };
    let messages = call.member("messages")?.as_list()?.iter().map(Json::as_bytes).collect::<Result<Vec<_>, _>>()?;
    link.receive(&call.member("due")?.as_texts()?, &messages)?;
    Ok(Json::object(vec![("accepted", Json::text(messages.len()))]))
}

fn session_id(call: &Json) -> Result<Json, Fault> {
    Ok(Json::object(vec![("id", hexadecimal(&Session::from_call(call)?.id()))]))
}

fn share_open(call: &Json) -> Result<Json, Fault> {
    let session = Session::from_call(call.member("session")?)?;
    let v = session.open(&call.member("csp")?.as_bytes()?, &call.member("recsys")?.as_bytes()?)?;
    let (factors, bias) = apart(&session.params, &v);
    Ok(Json::object(vec![("factors", factors), ("bias", bias)]))
}

fn code_weights(call: &Json) -> Result<Json, Fault> {
    let code = Code::new(&Params::from_call(call)?)?;
    Ok(Json::object(vec![("least", Json::text(&code.least)), ("weights", Json::texts(&code.weights))]))
}

fn code_encode(call: &Json) -> Result<Json, Fault> {
    let code = Code::new(&Params::from_call(call)?)?;
    let text = |bits: Vec<bool>| bits.into_iter().map(|bit| if bit { '1' } else { '0' }).collect::<String>();
    let values = call.member("values")?.as_ints()?;
    let codes = values.iter().map(|x| code.encode(x).map(text)).collect::<Result<Vec<_>, _>>()?;
    Ok(Json::object(vec![("codes", Json::texts(&codes))]))
}

fn code_decode(call: &Json) -> Result<Json, Fault> {
    let code = Code::new(&Params::from_call(call)?)?;
    let codes = call.member("codes")?.as_texts()?;
    let fits = |text: &String| text.len() == code.weights.len() && text.bytes().all(|digit| b"01".contains(&digit));
    if !codes.iter().all(fits) {
        return Err(Fault::error("a code in the call is not of as many bits as there are weights"));
    }
    let values: Vec<Int> = codes.iter().map(|text| code.decode(text.bytes().map(|digit| digit == b'1'))).collect();
    Ok(Json::object(vec![("values", Json::texts(&values))]))
}

/// Code and number of items of a call about a row.
fn row_code(call: &Json) -> Result<(Code, usize), Fault> {
    let (code, items) = (Code::new(&Params::from_call(call)?)?, call.member("items")?.as_index()?);
    check_size("the row has", &[items, code.planes()], MAX_NUMBERS)?;
    Ok((code, items))
}

fn upload_plain(call: &Json) -> Result<Json, Fault> {
    let (code, items) = row_code(call)?;
    let mut ratings = Vec::new();
    let mut seen = HashSet::new();
    for rating in call.member("ratings")?.as_list()? {
        let (item, x) = match rating.as_list()? {
            [item, x] => (item.as_index()?, x.as_int()?),
            _ => return Err(Fault::error("a rating in the call is no pair")),
        };
        if item >= items || !seen.insert(item) {
            return Err(Fault::error("the ratings in the call are not each of another item of the row"));
        }
        ratings.push((item, x));
    }
    Ok(Json::object(vec![("plain", hexadecimal(&code.plain(items, &ratings)?))]))
}

fn upload_row(call: &Json) -> Result<Json, Fault> {
    let (code, items) = row_code(call)?;
    let ratings = code.row(items, &call.member("plain")?.as_bytes()?)?;
    let pairs: Vec<Vec<String>> = ratings.iter().map(|(item, x)| vec![item.to_string(), x.to_string()]).collect();
    Ok(Json::object(vec![("ratings", Json::rows(&pairs))]))
}

fn as_block(value: &Json) -> Result<Block, Fault> {
    Block::try_from(value.as_bytes()?).map_err(|_| Fault::error("a block in the call has not 16 bytes"))
}

fn as_u64(value: &Json) -> Result<u64, Fault> {
    value.as_int()?.to_u64().ok_or_else(|| Fault::error("a number in the call is not from 0 to 2^64 - 1"))
}

fn hash_key(call: &Json) -> Result<Json, Fault> {
    let session = call.member("session")?.as_bytes()?;
    if session.len() != 32 {
        return Err(Fault::error("the id of the session has not 32 bytes"));
    }
    let indices = call.member("indices")?.as_list()?.iter().map(as_u64).collect::<Result<Vec<_>, _>>()?;
    let key = batch_key(&session, as_u64(call.member("epoch")?)?, call.member("purpose")?.as_text()?, &indices);
    Ok(Json::object(vec![("key", hexadecimal(&key))]))
}

fn hash_block(call: &Json) -> Result<Json, Fault> {
    let permutation = Permutation::new(as_block(call.member("key")?)?);
    let hash = permutation.hash(as_block(call.member("block")?)?, as_u64(call.member("tweak")?)?);
    Ok(Json::object(vec![("hash", hexadecimal(&hash))]))
}

fn hash_pads(call: &Json) -> Result<Json, Fault> {
    let permutation = Permutation::new(as_block(call.member("key")?)?);
    let blocks = call.member("blocks")?.as_list()?.iter().map(as_block).collect::<Result<Vec<_>, _>>()?;
    let length = call.member("length")?.as_index()?;
    check_size("the pads have", &[blocks.len(), length], MAX_NUMBERS)?;
    Ok(Json::object(vec![("pads", Json::rows(&permutation.pads(&blocks, length)))]))
}

fn circuit_netlist(call: &Json) -> Result<Json, Fault> {
    let plan = call.member("plan")?;
    let size = |name: &str| -> Result<usize, Fault> {
        let size = plan.member(name)?.as_index()?;
        check_size("a word of the circuit has", &[size], MAX_WIDTH)?;
        Ok(size)
    };
    let net = match call.member("circuit")?.as_text()? {
        "reciprocal" => {
            let weights = plan.member("weights")?;
            let named = ["tau", "theta"].iter().filter_map(|name| weights.get(name));
            reciprocal(&Reciprocal {
                width: size("width")?,
                drop: size("drop")?,
                exponent: as_u64(plan.member("exponent")?)?,
                minimum: as_u64(plan.member("minimum")?)?,
                weights: named.map(as_u64).collect::<Result<_, _>>()?,
                shift: as_u64(plan.member("shift")?)?,
            })?
        }
        "update" => update(&Update {
            width: size("width")?,
            drop: size("drop")?,
            frac_bits: size("frac_bits")?,
            box_bits: size("box_bits")?,
            prox: match plan.member("prox")? {
                Json::Text(name) if name == "elastic-net" => Prox::ElasticNet,
                Json::Text(name) if name == "binary-elastic-net" => Prox::BinaryElasticNet,
                Json::Null => Prox::Nothing,
                _ => return Err(Fault::error("a prox was due in the call")),
            },
            tau_bits: size("tau_bits")?,
            theta_bits: size("theta_bits")?,
        })?,
        _ => return Err(Fault::error("no such circuit")),
    };
    let (gates, text) = net.normal_form();
    Ok(Json::object(vec![("and_gates", Json::text(gates)), ("sha256", hexadecimal(&sha256(text.as_bytes())))]))
}
