internal import ConversionReports
internal import Logging
public import PipelineCore
internal import ReportService
internal import Stages

extension Catalogue {
    /// Every plug-in that Penstock ships.
    public static var standard: Catalogue {
        Catalogue(
            stages: [
                IngestStage.self, DedupeStage.self, AccumulateStage.self, GenerateStage.self,
                PublishStage.self, CacheStage.self,
            ],
            codecs: codecs, connectors: connectors,
            generators: [conversion, remote], errorCodes: ErrorCode.standard)
    }

    private static var codecs: [Codec] {
        [
            Codec(
                name: "report-request",
                summary: "Requests for conversion reports: JSON or protobuf ReportRequest.",
                yields: .requests, decoder: ReportRequestDecoder(), sample: SamplePayload.request),
            Codec(
                name: "conversion-event",
                summary: "View and payment events: JSON or protobuf ConversionEvent.",
                yields: .events, decoder: ConversionEventDecoder(), sample: SamplePayload.event),
            Codec(name: "raw", summary: "Payloads as they are.", yields: .bytes),
            Codec(
                name: "report-ready",
                summary:
                    "Renders outcomes: announced as JSON ReportReady, cached as answers to GetReport.",
                yields: nil, encoder: ReportOutcomeEncoder()),
        ]
    }

    private static var conversion: GeneratorRegistration {
        GeneratorRegistration(
            name: ConversionGenerator.name,
            summary: "Views against payments of a product over a period, from a report store.",
            needsStore: true, check: conversionObjection(to:)
        ) { _, store, context in
            guard let store = store as? any StandardStore else {
                throw PipelineError.fatal(
                    .wrongResource,
                    "stage \(context.stage): the generator \"conversion\" reads a \"store\"; name one"
                )
            }
            return ConversionGenerator(store: store.reports)
        }
    }

    @Sendable private static func conversionObjection(to written: String) -> String? {
        written == ConversionGenerator.name
            ? nil : "\"\(ConversionGenerator.name)\" takes no address"
    }

    private static var remote: GeneratorRegistration {
        GeneratorRegistration(
            name: GeneratorAddresses.scheme,
            summary: "\(GeneratorAddresses.form): ReportGeneratorService in other processes, as "
                + "`penstock generate` serves it.",
            check: GeneratorAddresses.objection(to:),
            inspect: { written, timeout in
                do {
                    return await RemoteGenerator.inspect(
                        try GeneratorAddresses(written), timeout: timeout)
                } catch {
                    return [ResourceFinding("generator", failure: error)]
                }
            }
        ) { written, _, context in
            var logger = context.logger
            logger[metadataKey: "stage"] = "\(context.stage)"
            return try RemoteGenerator(
                GeneratorAddresses(written), timeout: context.timeout ?? .seconds(300),
                clock: context.clock, random: context.random, logger: logger)
        }
    }
}
