import PipelineTesting
import ConversionReports
import PipelineCore
import Protobuf
import ReportMessages
import Testing

@Suite("The codec report-request")
struct ReportRequestDecoderTests {
    let decoder = ReportRequestDecoder()

    static let complete = """
        {"case_id": "0190a3f2-5d1c-7c3e-9f00-6a1b2c3d4e5f", "product_id": "product-1",
         "checkout_id": "c-1", "requester": "ada", "deadline": "2026-12-01T00:00:00Z",
         "period": {"start_time": "2026-10-01T00:00:00Z",
           "end_time": "2026-11-01T00:00:00.000001Z"}}
        """
    func request(_ fields: String) -> Record {
        .of(
            """
            {"case_id": "0190a3f2-5d1c-7c3e-9f00-6a1b2c3d4e5f", "product_id": "p",
             "period": {"start_time": "2026-10-01T00:00:00Z", "end_time": "2026-11-01T00:00:00Z"},
             \(fields)}
            """)
    }

    @Test("fills in what stages read, and writes the canonical body")
    func golden() throws {
        let record = try decoder.decode(.of(Self.complete)).get()
        #expect(record.id == UUID("0190a3f2-5d1c-7c3e-9f00-6a1b2c3d4e5f"))
        #expect(record.deadline == Timestamp(microseconds: 1_796_083_200_000_000))
        #expect(record.body.hex == Golden.request)
        #expect(String(decoding: record.payload, as: UTF8.self) == Self.complete)
    }

    @Test("reads either spelling of names, and binary, into the same body and digest")
    func formats() throws {
        let snake = try decoder.decode(.of(Self.complete)).get()
        let camel = try decoder.decode(
            .of(
                """
                {"caseId": "0190A3F2-5D1C-7C3E-9F00-6A1B2C3D4E5F", "productId": "product-1",
                 "checkoutId": "c-1", "requester": "ada", "deadline": "2026-12-01T01:00:00+01:00",
                 "period": {"startTime": "2026-10-01T00:00:00Z",
                   "endTime": "2026-11-01T00:00:00.000001Z"}}
                """, contentType: "Application/JSON; charset=utf-8")
        ).get()
        let binary = try decoder.decode(
            .of(Array(snake.body), contentType: "application/x-protobuf")
        ).get()
        for other in [camel, binary] {
            #expect(other.body == snake.body)
            #expect(other.id == snake.id)
            #expect(other.digest == snake.digest)
            #expect(other.deadline == snake.deadline)
        }
    }

    @Test("keeps the good records of a chunk in order, their bodies in one buffer")
    func chunk() throws {
        let id = { (number: Int) in "00000000-0000-4000-8000-00000000000\(number)" }
        var records = (0..<6).map { number in
            Record.of(
                number % 3 == 1
                    ? "nonsense"
                    : """
                    {"case_id": "\(id(number))", "product_id": "p\(number)", "period":
                     {"start_time": "2026-10-01T00:00:00Z", "end_time": "2026-11-01T00:00:00Z"}}
                    """, ordinal: number)
        }
        let rejections = decoder.decode(&records, stage: "in", now: Timestamp(microseconds: 0))
        #expect(rejections.map(\.record.ordinal) == [1, 4])
        #expect(records.map(\.ordinal) == [0, 2, 3, 5])
        for record in records {
            let request = try ReportRequest(serializedBytes: record.body)
            #expect(request.productID == "p\(record.ordinal)")
            #expect(record.id == UUID(id(record.ordinal)))
        }
        #expect(records[0].body.endIndex == records[1].body.startIndex)
    }

    @Test("takes product, checkout and period for what is asked, and nothing else")
    func digest() throws {
        let plain = try decoder.decode(request(#""requester": "a""#)).get().digest
        let same = [
            #""requester": "b""#, #""deadline": "2026-12-01T00:00:00Z""#,
            #""checkout_id": null"#,
        ]
        for fields in same { #expect(try decoder.decode(request(fields)).get().digest == plain) }
        let other = try decoder.decode(request(#""checkout_id": "c""#)).get().digest
        #expect(other != plain)
        let asked: [(String, String)] = [
            ("p1", "2026-11-01T00:00:00Z"), ("p2", "2026-11-01T00:00:00Z"),
            ("p1", "2026-11-01T00:00:00.000001Z"),
        ]
        let digests = try asked.map { product, end in
            try decoder.decode(
                .of(
                    """
                    {"case_id": "0190a3f2-5d1c-7c3e-9f00-6a1b2c3d4e5f", "product_id": "\(product)",
                     "period": {"start_time": "2026-10-01T00:00:00Z", "end_time": "\(end)"}}
                    """)
            ).get().digest
        }
        #expect(Set(digests).count == 3)
    }

    @Test("says all that is wrong at once")
    func allViolations() throws {
        let long = String(repeating: "x", count: 201)
        let rejection = try decoder.rejection(
            of: .of(
                """
                {"case_id": "12", "product_id": "", "checkout_id": "", "requester": "\(long)",
                 "period": {"start_time": "1969-12-31T23:59:59Z"},
                 "deadline": "1969-01-01T00:00:00Z"}
                """))
        #expect(rejection.code == "invalid-argument")
        #expect(
            rejection.violations.map(\.field) == [
                "case_id", "product_id", "checkout_id", "period.start_time", "period.end_time",
                "requester", "deadline",
            ])
        for violation in rejection.violations {
            #expect(rejection.reason.contains("\(violation.field) \(violation.description)"))
        }
    }

    @Test(
        "refuses what the rules do not allow",
        arguments: [
            ("case_id", "", "is required"),
            ("case_id", "0190a3f25d1c7c3e9f006a1b2c3d4e5f", "must be a UUID"),
            ("product_id", "", "is required"),
            ("product_id", String(repeating: "é", count: 101), "has 202 bytes"),
            ("product_id", #"a\u0000b"#, "U+0000"),
            ("checkout_id", "", "must not be empty"),
            ("checkout_id", String(repeating: "c", count: 201), "has 201 bytes"),
            ("requester", String(repeating: "c", count: 201), "has 201 bytes"),
        ])
    func texts(field: String, value: String, description: String) throws {
        var fields = [
            "case_id": "0190a3f2-5d1c-7c3e-9f00-6a1b2c3d4e5f", "product_id": "p",
        ]
        fields[field] = value
        let text = fields.map { "\"\($0.key)\": \"\($0.value)\"" }.joined(separator: ", ")
        let rejection = try decoder.rejection(
            of: .of(
                """
                {\(text), "period":
                 {"start_time": "2026-10-01T00:00:00Z", "end_time": "2026-11-01T00:00:00Z"}}
                """))
        #expect(rejection.violations.map(\.field) == [field])
        #expect(rejection.violations[0].description.contains(description))
    }

    @Test(
        "refuses periods that are none",
        arguments: [
            ("2026-10-01T00:00:00Z", "2026-10-01T00:00:00Z", "period.end_time", "later than"),
            ("2026-10-02T00:00:00Z", "2026-10-01T00:00:00Z", "period.end_time", "later than"),
            (
                "2010-01-01T00:00:00Z", "2026-10-01T00:00:00Z", "period.end_time",
                "at most 3660 days"
            ),
            ("1969-12-31T23:59:59.999Z", "2026-10-01T00:00:00Z", "period.start_time", "1970"),
            ("2026-10-01T00:00:00.0000001Z", "2026-10-02T00:00:00Z", "period.start_time", "micro"),
            ("2026-10-01T00:00:00Z", "2026-10-02T00:00:00.0000009Z", "period.end_time", "micro"),
        ])
    func periods(start: String, end: String, field: String, description: String) throws {
        let rejection = try decoder.rejection(of: Self.period(start, end))
        #expect(rejection.violations.map(\.field) == [field])
        #expect(rejection.violations[0].description.contains(description))
    }

    @Test(
        "takes periods at the limits",
        arguments: [
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000001Z"),
            ("9999-12-31T23:59:59.999998Z", "9999-12-31T23:59:59.999999Z"),
            ("2026-01-01T00:00:00Z", "2036-01-09T00:00:00Z"),
        ])
    func limits(start: String, end: String) throws {
        _ = try decoder.decode(Self.period(start, end)).get()
    }

    @Test("refuses a deadline that had passed when the record was sent, by name")
    func passedDeadline() throws {
        var record = request(#""deadline": "1970-01-01T00:00:01Z""#)
        for microseconds: Int64 in [0, 1_000_000] {
            record.timestamp = Timestamp(microseconds: microseconds)
            #expect(
                try decoder.decode(record).get().deadline == Timestamp(microseconds: 1_000_000))
        }
        record.timestamp = Timestamp(microseconds: 1_000_001)
        let rejection = try decoder.rejection(of: record)
        #expect(rejection.code == "deadline-passed")
        #expect(rejection.violations.map(\.field) == ["deadline"])
        #expect(
            rejection.reason
                == "deadline had passed when the request was sent; leave it out to ask without one")
        #expect(try decoder.decode(request(#""requester": """#)).get().deadline == nil)
    }

    @Test("takes a deadline that passed while the record waited, or whose sending nobody can tell")
    func lateDeadline() throws {
        var record = request(#""deadline": "1970-01-01T00:00:01Z""#)
        for timestamp in [Timestamp(microseconds: 500_000), .epoch] {
            record.timestamp = timestamp
            var records = [record]
            let now = Timestamp(microseconds: 3_600_000_000)
            #expect(decoder.decode(&records, stage: "in", now: now).isEmpty)
            #expect(records[0].deadline == Timestamp(microseconds: 1_000_000))
        }
    }

    @Test("refuses binary times that no text could say")
    func binaryTimes() throws {
        var request = try ReportRequest(jsonString: Self.complete)
        request.period?.startTime?.nanos = -1
        request.period?.endTime?.seconds = 253_402_300_800
        request.deadline?.nanos = 1_000_000_000
        let record = Record.of(try request.serializedBytes(), contentType: "application/protobuf")
        let rejection = try decoder.rejection(of: record)
        #expect(
            rejection.violations.map(\.field) == [
                "period.start_time", "period.end_time", "deadline",
            ])
    }

    @Test("names a field that the message does not have")
    func unknownField() throws {
        let rejection = try decoder.rejection(of: request(#""produkt_id": "p""#))
        #expect(rejection.code == "invalid-argument")
        #expect(rejection.reason.contains("\"produkt_id\""))
    }

    @Test("names a field with a value of another type")
    func wrongType() throws {
        let rejection = try decoder.rejection(
            of: .of(#"{"case_id": "a", "period": {"start_time": "today"}}"#))
        #expect(rejection.code == "invalid-argument")
        #expect(rejection.violations.map(\.field) == ["period.start_time"])
    }

    @Test(
        "refuses payloads that are no message",
        arguments: [
            ("", nil, "malformed"), ("[]", nil, "malformed"), ("{", nil, "malformed"),
            ("\u{1}", "application/x-protobuf", "malformed"),
            ("{}", "text/plain", "unsupported-content-type"),
        ])
    func unreadable(payload: String, contentType: String?, code: ErrorCode) throws {
        let rejection = try decoder.rejection(of: .of(payload, contentType: contentType))
        #expect(rejection.code == code)
    }

    @Test("refuses payloads of more than 64 KiB")
    func size() throws {
        let padding = { (count: Int) in String(repeating: " ", count: count) }
        let atLimit = Self.complete + padding((64 << 10) - Self.complete.utf8.count)
        _ = try decoder.decode(.of(atLimit)).get()
        #expect(try decoder.rejection(of: .of(atLimit + " ")).code == "too-large")
    }

    static func period(_ start: String, _ end: String) -> Record {
        .of(
            """
            {"case_id": "0190a3f2-5d1c-7c3e-9f00-6a1b2c3d4e5f", "product_id": "p",
             "period": {"start_time": "\(start)", "end_time": "\(end)"}}
            """)
    }
}
