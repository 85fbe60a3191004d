//! The statement id in the commands of prepared statements: four bytes after the command's own.
//!
//! COM_STMT_EXECUTE, _SEND_LONG_DATA, _CLOSE, _RESET and _FETCH have it.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_command_phase_ps.html>

use crate::protocol::{Command, ProtocolError, Reader};

/// The id in any of the five commands.
pub fn statement_id(payload: &[u8]) -> Result<u32, ProtocolError> {
    let mut reader = Reader::new(payload);
    match Command::from_byte(reader.u8("command")?) {
        Some(
            Command::StmtExecute
            | Command::StmtSendLongData
            | Command::StmtClose
            | Command::StmtReset
            | Command::StmtFetch,
        ) => reader.u32("statement id"),
        _ => Err(ProtocolError::unexpected("command with a statement id")),
    }
}

/// The id in a COM_STMT_EXECUTE, and in no other command.
pub fn execute_statement_id(payload: &[u8]) -> Result<u32, ProtocolError> {
    match payload.first() {
        Some(&byte) if byte == Command::StmtExecute as u8 => statement_id(payload),
        _ => Err(ProtocolError::unexpected("COM_STMT_EXECUTE")),
    }
}

/// Puts another id into any of the five commands, for the connection that knows it by that.
pub fn set_statement_id(payload: &mut [u8], id: u32) -> Result<(), ProtocolError> {
    statement_id(payload)?;
    let place = payload.iter_mut().skip(1);
    place
        .zip(id.to_le_bytes())
        .for_each(|(to, from)| *to = from);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::hex;

    #[test]
    fn the_id_is_read_and_replaced_in_a_command_that_mysql_9_7_4_took() {
        // Execute without a cursor.
        let mut payload = hex("17 07 00 00 00 00 01 00 00 00");
        assert_eq!(statement_id(&payload), Ok(7));
        assert_eq!(execute_statement_id(&payload), Ok(7));
        set_statement_id(&mut payload, 0x0102_0304).unwrap();
        assert_eq!(payload, hex("17 04 03 02 01 00 01 00 00 00"));
    }

    #[test]
    fn other_commands_have_no_id() {
        assert_eq!(statement_id(&hex("1c 09 00 00 00 02 00 00 00")), Ok(9));
        assert!(execute_statement_id(&hex("1c 09 00 00 00 02 00 00 00")).is_err());
        for text in [
            "",
            "03 09 00 00 00",
            "16 09 00 00 00",
            "17 09 00 00",
            "22 09 00 00 00",
        ] {
            assert!(statement_id(&hex(text)).is_err(), "{text}");
            assert!(set_statement_id(&mut hex(text), 1).is_err(), "{text}");
        }
    }
}
