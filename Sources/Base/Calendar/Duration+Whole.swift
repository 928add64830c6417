extension Duration {
    /// Whole nanoseconds, towards zero; saturates.
    public var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        return scaled + attoseconds / 1_000_000_000
    }
    /// Whole microseconds, towards zero; saturates.
    public var wholeMicroseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        return scaled + attoseconds / 1_000_000_000_000
    }
    /// Whole milliseconds, towards zero; saturates.
    public var wholeMilliseconds: Int64 { wholeMicroseconds / 1000 }
}
