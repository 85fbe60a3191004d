//! Ways to break the proxy, in the layer that stands for the session and the monitors. The oracle
//! has to catch each.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutation {
    None,
    /// COM_RESET_CONNECTION forgets what the scope must see.
    DropTokenOnReset,
    /// The executed set in a read's own OK is taken for all that the read has seen.
    ExecutedAsSeen,
    /// A probe leaves out what is owned and not yet executed.
    ProbeWithoutOwned,
    /// What a reader has received is taken for what it has executed.
    BelieveTheBinlog,
    /// A read on the writer leaves no mark.
    ForgetSawWriter,
    /// A read on a reader leaves no mark.
    ForgetSawReader,
    /// A session with state on its writer connection reads elsewhere.
    ForgetPin,
    /// An error at the writer counts as if nothing was written.
    IgnoreError,
    /// A commit without an answer counts as over, though its thread is not gone.
    IgnoreThread,
    /// A connection is used without asking whom it leads to.
    TrustTheAddress,
    /// A read counts as ended when it is sent.
    EndTooEarly,
    /// COM_CHANGE_USER forgets what the old account did.
    ForgetOldUser,
    /// A write runs where the session reads.
    WriteAtHome,
    /// A strong read takes what the writer said before it arrived.
    OldFetch,
    /// A bound on staleness counts for more than it says.
    SlackBound,
    /// A write whose connection was lost is sent again.
    SendAgain,
    /// Each connection of an account keeps what it must see to itself.
    ScopePerConnection,
    /// A token that a client has carried here is left aside.
    IgnoreCarried,
    /// Nothing is ever stale on the writer.
    WriterAlways,
}
