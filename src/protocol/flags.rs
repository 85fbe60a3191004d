//! One way to write a set of flags that prints their names.

/// Defines a set of named bits over an unsigned integer.
macro_rules! flags {
    ($(#[$doc:meta])* $set:ident($int:ty); $($(#[$bit_doc:meta])* $name:ident = $bit:expr;)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub struct $set(pub $int);

        impl $set {
            $($(#[$bit_doc])* pub const $name: Self = Self($bit);)*

            const NAMES: &[(Self, &str)] = &[$((Self::$name, stringify!($name))),*];

            /// Whether all bits of `other` are set.
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// Sets the bits of `other`.
            pub const fn insert(&mut self, other: Self) {
                self.0 |= other.0;
            }

            /// Clears the bits of `other`.
            pub const fn remove(&mut self, other: Self) {
                self.0 &= !other.0;
            }

            /// This set without the bits of `other`.
            #[must_use]
            pub const fn without(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }
        }

        impl std::ops::BitOr for $set {
            type Output = Self;
            fn bitor(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
        }

        impl std::ops::BitAnd for $set {
            type Output = Self;
            fn bitand(self, other: Self) -> Self {
                Self(self.0 & other.0)
            }
        }

        impl std::fmt::Debug for $set {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let mut unknown = *self;
                let mut list = f.debug_set();
                for (flag, name) in Self::NAMES {
                    if self.contains(*flag) {
                        list.entry(&format_args!("{name}"));
                        unknown.remove(*flag);
                    }
                }
                if unknown.0 != 0 {
                    list.entry(&format_args!("{:#x}", unknown.0));
                }
                list.finish()
            }
        }
    };
}

pub(crate) use flags;
