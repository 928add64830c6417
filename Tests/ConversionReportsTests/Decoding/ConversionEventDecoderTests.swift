import PipelineTesting
import ConversionReports
import PipelineCore
import Protobuf
import ReportMessages
import Testing

@Suite("The codec conversion-event")
struct ConversionEventDecoderTests {
    let decoder = ConversionEventDecoder()

    static let complete = """
        {"event_id": "0190a3f2-5d1c-7c3e-9f00-6a1b2c3d4e5f", "kind": "PAYMENT", "count": 3,
         "product_id": "product-1", "occurred_at": "2026-10-01T12:30:00.000005Z"}
        """

    @Test("fills in what stages read, and writes the canonical body")
    func golden() throws {
        let record = try decoder.decode(.of(Self.complete)).get()
        #expect(record.id == UUID("0190a3f2-5d1c-7c3e-9f00-6a1b2c3d4e5f"))
        #expect(record.body.hex == Golden.event)
        #expect(record.deadline == nil)
    }

    @Test("reads all spellings and formats into the same body and digest")
    func formats() throws {
        let first = try decoder.decode(.of(Self.complete)).get()
        let camel = try decoder.decode(
            .of(
                """
                {"eventId": "0190A3F2-5D1C-7C3E-9F00-6A1B2C3D4E5F", "kind": 2, "count": "3",
                 "productId": "product-1", "occurredAt": "2026-10-01T14:30:00.000005999+02:00"}
                """)
        ).get()
        let binary = try decoder.decode(
            .of(Array(first.body), contentType: "application/x-protobuf")
        ).get()
        for other in [camel, binary] {
            #expect(other.body == first.body)
            #expect(other.digest == first.digest)
        }
    }

    @Test("counts one where no count is set")
    func defaultCount() throws {
        let event = { (count: String) in
            try decoder.decode(
                .of(
                    """
                    {"event_id": "0190a3f2-5d1c-7c3e-9f00-6a1b2c3d4e5f", "kind": "VIEW",
                     "product_id": "p", "occurred_at": "2026-10-01T12:30:00Z" \(count)}
                    """)
            ).get()
        }
        #expect(try event("").digest == event(#", "count": 1"#).digest)
        #expect(try event("").digest != event(#", "count": 2"#).digest)
    }

    @Test("says all that is wrong at once")
    func allViolations() throws {
        let rejection = try decoder.rejection(
            of: .of(#"{"event_id": "x", "checkout_id": "", "count": 0}"#))
        #expect(
            rejection.violations.map(\.field) == [
                "event_id", "kind", "product_id", "checkout_id", "occurred_at", "count",
            ])
    }

    @Test(
        "refuses what the rules do not allow",
        arguments: [
            ("kind", "\"KIND_UNSPECIFIED\""), ("kind", "7"), ("kind", "\"CLICK\""),
            ("count", "-1"), ("count", "1000001"), ("count", "1.5"),
            ("occurred_at", "\"1969-12-31T23:59:59.999999Z\""), ("product_id", "\"\""),
        ])
    func values(field: String, value: String) throws {
        var fields = [
            "event_id": "\"0190a3f2-5d1c-7c3e-9f00-6a1b2c3d4e5f\"", "kind": "\"VIEW\"",
            "product_id": "\"p\"", "occurred_at": "\"2026-10-01T12:30:00Z\"",
        ]
        fields[field] = value
        let text = fields.map { "\"\($0.key)\": \($0.value)" }.joined(separator: ", ")
        let rejection = try decoder.rejection(of: .of("{\(text)}"))
        #expect(rejection.code == "invalid-argument")
        #expect(rejection.violations.map(\.field) == [field])
    }

    @Test("takes counts at the limits", arguments: [1, 1_000_000])
    func countLimits(count: Int64) throws {
        let record = try decoder.decode(
            .of(
                """
                {"event_id": "0190a3f2-5d1c-7c3e-9f00-6a1b2c3d4e5f", "kind": "VIEW",
                 "product_id": "p", "occurred_at": "9999-12-31T23:59:59.999999Z", "count": \(count)}
                """)
        ).get()
        #expect(try ConversionEvent(serializedBytes: record.body).count ?? 1 == count)
    }
}
