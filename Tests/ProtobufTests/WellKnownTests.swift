import Protobuf
import ReportMessages
import Testing

@Suite("Well-known types")
struct WellKnownTests {
    @Test("An Any gives back the message that was packed, and nothing else")
    func packing() throws {
        let violation = Google_Rpc_BadRequest.with {
            $0.fieldViolations = [
                .with {
                    $0.field = "period.end_time"
                    $0.description = "is not later than the start"
                }
            ]
        }
        let any = try Google_Protobuf_Any(packing: violation)
        #expect(any.typeURL == "type.googleapis.com/google.rpc.BadRequest")
        #expect(try any.unpack() == violation)
        #expect(try any.unpack(as: Google_Rpc_ErrorInfo.self) == nil)
    }

    @Test("A status with details is written and read as JSON")
    func statusJSON() throws {
        let status = try Google_Rpc_Status.with { (status) throws(ProtobufError) in
            status.code = 3
            status.details = [
                try Google_Protobuf_Any(packing: Google_Rpc_ErrorInfo.with { $0.reason = "R" }),
                try Google_Protobuf_Any(packing: Google_Protobuf_Duration(.seconds(2))),
            ]
        }
        let text =
            #"{"code":3,"details":["#
            + #"{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"R"},"#
            + #"{"@type":"type.googleapis.com/google.protobuf.Duration","value":"2s"}]}"#
        #expect(try status.jsonString() == text)
        #expect(try Google_Rpc_Status(jsonString: text) == status)
    }

    @Test(
        "An Any of an unknown type, or a nested @type, is refused",
        arguments: [
            #"{"@type":"type.googleapis.com/no.Such"}"#, #"{"a":1}"#,
            #"{"@type":"type.googleapis.com/google.rpc.RetryInfo","x":1}"#,
            #"{"@type":"type.googleapis.com/google.rpc.Help","links":[{"@type":"x"}]}"#,
        ])
    func badAny(text: String) {
        #expect(throws: ProtobufError.self) { try Google_Protobuf_Any(jsonString: text) }
    }

    @Test("Types of one's own can be packed where the options name them")
    func ownTypes() throws {
        let any = try Google_Protobuf_Any(packing: GetReportRequest.with { $0.caseID = "c" })
        #expect(throws: ProtobufError.self) { try any.jsonString() }
        var encoding = JSONEncodingOptions()
        encoding.packedTypes = [GetReportRequest.self]
        var decoding = JSONDecodingOptions()
        decoding.packedTypes = [GetReportRequest.self]
        let text = try any.jsonString(options: encoding)
        #expect(try Google_Protobuf_Any(jsonString: text, options: decoding) == any)
    }

    @Test(
        "A Value is any JSON value",
        arguments: [
            "null", "true", "1.5", "\"a\"", "[1,[],{}]", "{\"a\":null,\"b\":{\"c\":[false]}}",
        ])
    func values(text: String) throws {
        #expect(try Google_Protobuf_Value(jsonString: text).jsonString() == text)
    }

    @Test("A FieldMask is one string in lower camel case")
    func fieldMasks() throws {
        let mask = Google_Protobuf_FieldMask.with { $0.paths = ["case_id", "period.start_time"] }
        #expect(try mask.jsonString() == #""caseId,period.startTime""#)
        #expect(try Google_Protobuf_FieldMask(jsonString: mask.jsonString()) == mask)
        let other = Google_Protobuf_FieldMask.with { $0.paths = ["caseId"] }
        #expect(throws: ProtobufError.self) { try other.jsonString() }
    }
}
