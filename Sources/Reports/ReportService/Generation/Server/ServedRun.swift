/// One call of `GenerateReports` as its server saw it, for metrics.
public enum ServedRun: Sendable {
    /// Every case has an outcome; `failures` of them are errors.
    case generated(cases: Int, failures: Int, rowsRead: Int64?, took: Duration)
    /// The call ended with another status than OK.
    case failed(took: Duration)
}
