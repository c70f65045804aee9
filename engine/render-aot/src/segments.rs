//! The data of a snapshot in as few pieces as components allow.

use wasm_encoder::{ConstExpr, DataCountSection, DataSection, Module, RawSection};
use wasmparser::{DataKind, Operator, Parser, Payload};

use crate::BuildError;

/// Zeros between two pieces that are written out rather than beginning a piece of their own: what begins a piece costs some 10 bytes,
/// and 100,000 pieces are the most that there may be. With this gap Helm's 110,000 become some 6,000.
const GAP: usize = 256;

/// One piece of initial memory.
struct Piece {
    offset: usize,
    bytes: Vec<u8>,
}

/// Joins pieces of memory that are close to each other; all else stays as it is.
pub fn merge(module: &[u8]) -> Result<Vec<u8>, BuildError> {
    let pieces = join(read(module)?);
    let mut merged = Module::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.map_err(unreadable)?;
        match &payload {
            Payload::DataSection(_) => {
                let mut data = DataSection::new();
                for piece in &pieces {
                    // Addresses have 32 bits, which the format writes as signed numbers.
                    let offset = u32::try_from(piece.offset).map_err(unreadable)?.cast_signed();
                    data.active(0, &ConstExpr::i32_const(offset), piece.bytes.iter().copied());
                }
                merged.section(&data);
            }
            Payload::DataCountSection { .. } => {
                let count = u32::try_from(pieces.len()).map_err(unreadable)?;
                merged.section(&DataCountSection { count });
            }
            other => {
                if let Some((id, range)) = other.as_section() {
                    let start = usize::try_from(range.start).map_err(unreadable)?;
                    let end = usize::try_from(range.end).map_err(unreadable)?;
                    let data = module.get(start..end).unwrap_or_default();
                    merged.section(&RawSection { id, data });
                }
            }
        }
    }
    Ok(merged.finish())
}

fn read(module: &[u8]) -> Result<Vec<Piece>, BuildError> {
    let mut pieces = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        let Payload::DataSection(section) = payload.map_err(unreadable)? else {
            continue;
        };
        for data in section {
            let data = data.map_err(unreadable)?;
            match data.kind {
                // Go copies none of its data itself; what the snapshot has left of such pieces is empty.
                DataKind::Passive if data.data.is_empty() => {}
                DataKind::Passive => return Err(BuildError::Segments("there is passive data".to_owned())),
                DataKind::Active {
                    memory_index,
                    offset_expr,
                } => {
                    let first = offset_expr.get_operators_reader().read().map_err(unreadable)?;
                    let (0, Operator::I32Const { value }) = (memory_index, first) else {
                        return Err(BuildError::Segments("data without a fixed place".to_owned()));
                    };
                    pieces.push(Piece {
                        offset: usize::try_from(value.cast_unsigned()).map_err(unreadable)?,
                        bytes: data.data.to_vec(),
                    });
                }
            }
        }
    }
    Ok(pieces)
}

fn join(mut pieces: Vec<Piece>) -> Vec<Piece> {
    pieces.sort_by_key(|piece| piece.offset);
    let mut joined: Vec<Piece> = Vec::new();
    for piece in pieces {
        if let Some(last) = joined.last_mut()
            && let Some(gap) = piece.offset.checked_sub(last.offset + last.bytes.len())
            && gap <= GAP
        {
            // What no piece covers is zero.
            last.bytes.resize(piece.offset - last.offset, 0);
            last.bytes.extend_from_slice(&piece.bytes);
            continue;
        }
        joined.push(piece);
    }
    joined
}

fn unreadable(error: impl std::fmt::Display) -> BuildError {
    BuildError::Segments(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The data of a module, and how often it says how many pieces there are.
    fn pieces(module: &[u8]) -> Vec<(usize, Vec<u8>)> {
        wasmparser::validate(module).unwrap();
        read(module)
            .unwrap()
            .into_iter()
            .map(|piece| (piece.offset, piece.bytes))
            .collect()
    }

    #[test]
    fn what_is_close_becomes_one_and_the_rest_stays() {
        let module = wat::parse_str(
            r#"(module (memory (export "m") 3)
                (data (i32.const 10) "ab") (data (i32.const 14) "c")
                (data (i32.const 1000) "d")
                (func (export "f") (result i32) (i32.const 7)))"#,
        )
        .unwrap();
        let merged = merge(&module).unwrap();
        assert_eq!(
            pieces(&merged),
            [(10, b"ab\0\0c".to_vec()), (1000, b"d".to_vec())]
        );
        assert!(
            wasmparser::Parser::new(0)
                .parse_all(&merged)
                .any(|payload| matches!(
                    payload, Ok(Payload::ExportSection(exports)) if exports.count() == 2
                ))
        );
    }

    #[test]
    fn data_that_has_no_fixed_place_is_refused() {
        let module = wat::parse_str(r#"(module (memory 1) (data "abc"))"#).unwrap();
        assert!(matches!(merge(&module), Err(BuildError::Segments(_))));
    }
}
