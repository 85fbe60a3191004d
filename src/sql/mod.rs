//! Reading SQL just far enough to route it: lexer, hints, classification. Pure.
