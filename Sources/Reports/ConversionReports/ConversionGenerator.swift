public import PipelineCore
internal import Protobuf
internal import ReportMessages

/// The generator `conversion`: answers a batch by one read of a report store.
///
/// All reports of a batch come from one snapshot; equal definitions are computed once. A case whose
/// parameters can't be read fails alone, with `invalid-parameters`; an error of the store fails
/// none: it is thrown.
public struct ConversionGenerator: Generator {
    /// The name of the generator in pipeline files.
    public static let name = "conversion"

    private let store: any ReportStore

    public init(store: any ReportStore) { self.store = store }

    public func generate(_ batch: Batch) async throws -> GeneratedBatch {
        let wanted = batch.cases.map { readRequest(of: $0) }
        let queries = wanted.compactMap { try? $0.get().query }
        let reading = try await store.read(queries)
        var buffer: [UInt8] = []
        buffer.reserveCapacity(batch.cases.count * 192)
        var counts = reading.counts[...]
        let ranges: [Result<Range<Int>, Refusal>] = wanted.map { request in
            request.map { request in
                let start = buffer.count
                Report(request, counts.removeFirst(), reading.dataAsOf).write(to: &buffer)
                return start..<buffer.count
            }
        }
        let results: [CaseResult] = ranges.map { range in
            switch range {
            case .success(let range): .report(buffer[range])
            case .failure(let refusal): .failure(code: refusal.code, reason: refusal.reason)
            }
        }
        return GeneratedBatch(
            results: results, dataAsOf: reading.dataAsOf, rowsRead: reading.rowsRead)
    }

    private func readRequest(of item: Case) -> Result<CheckedRequest, Refusal> {
        do throws(Refusal) {
            let request: ReportRequest
            do {
                request = try ReportRequest(serializedBytes: item.parameters)
            } catch {
                throw .unreadable(error)
            }
            var checked = try request.checked(maximumSpan: .max)
            checked.caseID = item.id
            return .success(checked)
        } catch {
            return .failure(Refusal(code: .invalidParameters, reason: error.reason))
        }
    }
}

extension Report {
    fileprivate init(_ request: CheckedRequest, _ counts: ConversionCounts, _ dataAsOf: Timestamp) {
        self.init()
        caseID = request.caseID.description
        productID = request.query.productID
        checkoutID = request.query.checkoutID
        var period = Period()
        period.startTime = Google_Protobuf_Timestamp(request.query.start)
        period.endTime = Google_Protobuf_Timestamp(request.query.end)
        self.period = period
        conversionRatio = counts.ratio
        paymentsCount = counts.payments
        viewsCount = counts.views
        self.dataAsOf = Google_Protobuf_Timestamp(dataAsOf)
    }
}
