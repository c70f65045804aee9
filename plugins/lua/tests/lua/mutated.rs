//! Any bytes are taken for a script: those that are one are run, the others are refused.

use sluice_lua::{Engine, Limits};

use crate::script::{answer_of, with_stack};

const SEEDS: [&str; 4] = [
    include_str!("hostile.txt"),
    include_str!("../probes.txt"),
    "hs = {} if obj.status ~= nil then for i, c in ipairs(obj.status.conditions) do if c.type == 'Ready' then hs.status = 'Healthy' end end end return hs",
    "local s = '' for k, v in pairs({a = 1, [2] = {}}) do goto next s = s .. k ::next:: end return ('%5.2f %s'):format(#s, s:gsub('(%w+)', '<%1>'))",
];

/// Numbers that are always the same ones.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }
}

/// A part of a seed with some bytes changed, moved or taken from elsewhere.
fn mutated(dice: &mut Dice) -> Vec<u8> {
    let seed = SEEDS[dice.below(SEEDS.len())].as_bytes();
    let lines: Vec<&[u8]> = seed.split(|byte| *byte == b'\n').collect();
    let mut script = lines[dice.below(lines.len())].to_vec();
    for _ in 0..=dice.below(4) {
        let at = dice.below(script.len() + 1);
        match dice.below(5) {
            0 => script.insert(at, dice.below(256) as u8),
            1 if at < script.len() => drop(script.remove(at)),
            2 => script.truncate(at),
            3 => {
                let other = lines[dice.below(lines.len())];
                let from = dice.below(other.len() + 1);
                script.splice(at..at, other[from..].iter().copied());
            }
            _ => {
                let signs = b"(){}[]\"'%.-+*/^#=~<>,;: \n";
                script.insert(at, signs[dice.below(signs.len())]);
            }
        }
    }
    script
}

#[test]
fn no_bytes_break_the_interpreter() {
    with_stack(|| {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
        // Small limits: it is what lies between that is looked for.
        let limits = Limits {
            steps: 5_000,
            bytes: 1 << 20,
            ..Limits::default()
        };
        let mut engine = Engine::new(limits);
        let mut run = 0;
        for _ in 0..20_000 {
            let script = mutated(&mut dice);
            run += usize::from(!answer_of(&mut engine, &script).starts_with("SYNTAX"));
        }
        assert!(run > 1_000, "{run} of them were scripts");
        for _ in 0..5_000 {
            let bytes: Vec<u8> = (0..dice.below(60)).map(|_| dice.below(256) as u8).collect();
            answer_of(&mut engine, &bytes);
        }
    });
}
