//! The TOML file, parsed once into the types that the modules define for themselves.
