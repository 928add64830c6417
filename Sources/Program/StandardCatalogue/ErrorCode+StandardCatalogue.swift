internal import ConversionReports
internal import DryRun
internal import Files
internal import Kafka
internal import Ledger
internal import PipelineCore
internal import PipelineRuntime
internal import Postgres
internal import Redis
internal import ReportService
internal import SQLite
internal import Stages
internal import Webhook

extension ErrorCode {
    static let wrongKind = ErrorCode(
        "wrong-kind", .failure, "A store was handed records that it has no table for.",
        remedy: "Publish events to it, and nothing else.")

    /// Every code of the program: a module's list is added here, and nowhere else.
    static let standard: [ErrorCode] =
        ofCore + ofRuntime + ofStages + ofLedger + ofKafka + ofPostgres + ofRedis + ofSQLite
        + ofFiles + ofWebhooks + ofConversionReports + ofReportService + ofDryRun + [wrongKind]
}
