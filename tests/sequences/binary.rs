//! The commands of prepared statements as bytes.

use tidegate::protocol::put_lenenc_bytes;

/// VARCHAR as the type of a parameter.
const VARCHAR: [u8; 2] = [0xfd, 0];

/// The argument of a COM_STMT_EXECUTE. The first value has come ahead where `ahead` says so.
pub(crate) fn execution(
    id: u32,
    values: &[Option<String>],
    types: bool,
    cursor: bool,
    ahead: bool,
) -> Vec<u8> {
    let mut out = id.to_le_bytes().to_vec();
    out.extend([u8::from(cursor), 1, 0, 0, 0]);
    if values.is_empty() {
        return out;
    }
    let mut nulls = vec![0_u8; values.len().div_ceil(8)];
    for (index, value) in values.iter().enumerate() {
        if value.is_none() {
            nulls[index / 8] |= 1 << (index % 8);
        }
    }
    out.extend(nulls);
    out.push(u8::from(types));
    if types {
        out.extend(VARCHAR.repeat(values.len()));
    }
    for (index, value) in values.iter().enumerate() {
        match value {
            Some(value) if index > 0 || !ahead => put_lenenc_bytes(&mut out, value.as_bytes()),
            _ => {}
        }
    }
    out
}
