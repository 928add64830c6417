/// What one call of `GenerateReports` may carry, for both sides.
public enum GenerationLimits {
    /// Most definitions in a call; more are refused with INVALID_ARGUMENT.
    public static let definitions = 10_000
    /// The longest message, in bytes: enough for ``definitions`` of the longest definitions, and for
    /// as many reports or errors.
    static let messageBytes = 16 << 20
    /// The longest sentence of a case's error, in bytes of UTF-8; longer ones are cut.
    static let reasonBytes = 1024
    /// The longest `batch_id`, in bytes of UTF-8.
    static let batchIDBytes = 200
}
