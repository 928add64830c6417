import Protobuf
import ReportMessages
import Testing

@Suite("Hostile JSON")
struct HostileJSONTests {
    private static func error<M: Message>(
        _: M.Type, _ text: String, ignoringUnknown: Bool = false
    ) -> ProtobufError? {
        var options = JSONDecodingOptions()
        options.ignoreUnknownFields = ignoringUnknown
        do {
            _ = try M(jsonString: text, options: options)
            return nil
        } catch {
            return error
        }
    }

    @Test("Every text that ends too early is refused")
    func truncation() {
        let text = JSONFormatTests.requestText
        for count in 0..<text.count {
            #expect(Self.error(ReportRequest.self, String(text.prefix(count))) != nil)
        }
    }

    @Test(
        "What is not JSON is refused",
        arguments: [
            "{\"caseId\":\"a\",}", "{,}", "{\"caseId\" \"a\"}", "{caseId:\"a\"}", "{'caseId':'a'}",
            "{} {}", "{}x", "// a\n{}", "{\"caseId\":\"a\"\"b\"}", "[]", "null", "\"\"",
            "{\"caseId\":}",
            "{\"viewsCount\":01}", "{\"viewsCount\":+1}", "{\"viewsCount\":1.}",
            "{\"viewsCount\":.5}", "{\"viewsCount\":1e}", "{\"viewsCount\":0x1}",
            "{\"viewsCount\":NaN}", "{\"caseId\":\"a\nb\"}", "{\"caseId\":\"\\x\"}",
            "{\"caseId\":\"\\u12\"}", "{\"caseId\":\"\\u12G4\"}", "{\"caseId\":tru}",
        ])
    func notJSON(text: String) {
        #expect(Self.error(Report.self, text) != nil)
    }

    @Test(
        "Half of a surrogate pair is refused",
        arguments: [
            #"\uD83D"#, #"\uDE00"#, #"\uD83D\u0041"#, #"\uD83Dx"#, #"\uDE00\uD83D"#, #"\uD83D\n"#,
        ])
    func loneSurrogates(escape: String) {
        let error = Self.error(Report.self, "{\"caseId\":\"\(escape)\"}")
        #expect(error?.code == .malformedJSON)
        #expect(error?.message == "a lone surrogate in a string")
        #expect(error?.path == "caseId")
    }

    @Test(
        "Text that is no UTF-8 is refused", arguments: [[0xFF], [0xED, 0xA0, 0x80]] as [[UInt8]])
    func invalidUTF8(bytes: [UInt8]) {
        let text = Array("{\"caseId\":\"".utf8) + bytes + Array("\"}".utf8)
        #expect(throws: ProtobufError.self) { try Report(jsonUTF8Bytes: text) }
    }

    @Test(
        "A field that occurs twice is refused, in whichever spelling",
        arguments: [
            #"{"caseId":"a","caseId":"a"}"#, #"{"caseId":"a","case_id":"b"}"#,
            #"{"caseId":"a","caseId":null}"#,
        ])
    func duplicateFields(text: String) {
        let error = Self.error(Report.self, text)
        #expect(error?.code == .duplicateField)
    }

    @Test("A map's key that occurs twice is refused")
    func duplicateKeys() {
        let error = Self.error(
            Google_Rpc_ErrorInfo.self, #"{"metadata":{"a":"1","\u0061":"2"}}"#)
        #expect(error?.code == .duplicateField)
        #expect(error?.path == "metadata")
    }

    @Test("Two members of a oneof are refused")
    func twoMembers() {
        let error = Self.error(GetReportResponse.self, #"{"report":{},"status":{}}"#)
        #expect(error?.code == .duplicateField)
        #expect(error?.path == "status")
    }

    @Test(
        "Integers out of range, fractions and inexact ones are refused",
        arguments: [
            "9223372036854775808", "-9223372036854775809", "\"9223372036854775808\"", "1.5", "1e-1",
            "1e99", "9007199254740993.0", "\"\"", "\" 1\"", "\"1 \"", "\"0x1\"", "\"Infinity\"",
            "true",
            "[1]", "{}",
        ])
    func integersOutOfRange(text: String) {
        let error = Self.error(Report.self, "{\"viewsCount\":\(text)}")
        #expect(error?.code == .invalidValue)
        #expect(error?.path == "viewsCount")
        #expect(error?.offset == 14)
    }

    @Test(
        "Numbers out of a type's range are refused",
        arguments: [
            ("conversionRatio", "1e309"), ("conversionRatio", "\"-1e309\""),
        ])
    func doublesOutOfRange(field: String, text: String) {
        #expect(Self.error(Report.self, "{\"\(field)\":\(text)}")?.code == .invalidValue)
        #expect(Self.error(Google_Protobuf_FloatValue.self, "3.5e38")?.code == .invalidValue)
        #expect(Self.error(Google_Protobuf_UInt32Value.self, "-1")?.code == .invalidValue)
        #expect(Self.error(Google_Protobuf_Int32Value.self, "2147483648")?.code == .invalidValue)
    }

    @Test(
        "Values of another type are refused, saying what was expected and found",
        arguments: [
            ("{\"caseId\":1}", "caseId: expected a string, found a number (at byte 10)"),
            ("{\"caseId\":[\"a\"]}", "caseId: expected a string, found an array (at byte 10)"),
            ("{\"period\":\"today\"}", "period: expected an object, found a string (at byte 10)"),
            (
                "{\"period\":{\"startTime\":12}}",
                "period.startTime: expected a time such as \"2025-01-31T09:30:00Z\", "
                    + "found a number (at byte 23)"
            ),
            (
                "{\"period\":{\"startTime\":\"today\"}}",
                "period.startTime: expected a time such as \"2025-01-31T09:30:00Z\", "
                    + "found \"today\" (at byte 23)"
            ),
            ("{\"caseId\":", "caseId: the text ends too early (at byte 10)"),
        ])
    func otherTypes(text: String, description: String) {
        #expect(Self.error(ReportRequest.self, text)?.description == description)
    }

    @Test("An unknown field is refused by its name, with those that there are")
    func unknownFields() {
        let error = Self.error(Period.self, #"{"start_tme":"2025-01-31T09:30:00Z"}"#)
        #expect(error?.code == .unknownField)
        #expect(
            error?.message
                == "unknown field \"start_tme\"; conversionreports.v1.Period has "
                + "start_time, end_time")
    }

    @Test("An unknown name of an enum is refused, with those that there are")
    func unknownEnumNames() {
        let error = Self.error(ConversionEvent.self, #"{"kind":"CLICK"}"#)
        #expect(
            error?.description
                == "kind: unknown value \"CLICK\"; expected one of KIND_UNSPECIFIED, VIEW, PAYMENT "
                + "(at byte 8)")
    }

    @Test("Deep nesting is refused, in known values and in skipped ones")
    func depth() {
        let deep = String(repeating: "[", count: 100_000)
        #expect(Self.error(Google_Protobuf_Value.self, deep)?.code == .tooDeep)
        let skipped = Self.error(Report.self, "{\"x\":" + deep, ignoringUnknown: true)
        #expect(skipped?.code == .tooDeep)
        let allowed = String(repeating: "[", count: 100) + String(repeating: "]", count: 100)
        #expect(Self.error(Google_Protobuf_Value.self, allowed) == nil)
    }

    @Test(
        "Base64 with foreign characters, stray padding or an impossible length is refused",
        arguments: ["a", "a===", "AA=A", "A A=", "AAAAA", "AA*=", "===="])
    func badBase64(text: String) {
        let error = Self.error(Google_Protobuf_BytesValue.self, "\"\(text)\"")
        #expect(error?.code == .invalidValue)
    }
}
