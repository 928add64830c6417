import Protobuf
import ReportMessages
import Testing

@Suite("JSON")
struct JSONFormatTests {
    static let requestText =
        #"{"caseId":"c1","productId":"p","checkoutId":"","#
        + #""period":{"startTime":"2023-11-14T22:13:20Z","endTime":"2023-11-14T23:13:20.500Z"}}"#

    @Test("A message is written in lower camel case, in the order of the numbers")
    func goldenText() throws {
        #expect(try BinaryFormatTests.request.jsonString() == Self.requestText)
    }

    @Test("The text reads back as the message")
    func goldenMessage() throws {
        #expect(try ReportRequest(jsonString: Self.requestText) == BinaryFormatTests.request)
    }

    @Test("The proto file's names can be written, and are always read")
    func protoNames() throws {
        var options = JSONEncodingOptions()
        options.preserveProtoFieldNames = true
        let text = try BinaryFormatTests.request.jsonString(options: options)
        #expect(text.hasPrefix(#"{"case_id":"c1","product_id":"p""#))
        #expect(try ReportRequest(jsonString: text) == BinaryFormatTests.request)
    }

    @Test("White space is allowed wherever JSON allows it")
    func whiteSpace() throws {
        let text = " {\n\t\"caseId\" : \"c1\" ,\r\n \"period\" : { } }\n "
        let read = try ReportRequest(jsonString: text)
        #expect(read.caseID == "c1")
        #expect(read.period == Period())
    }

    @Test("Kinds of events are spelt VIEW and PAYMENT")
    func kinds() throws {
        let event = try ConversionEvent(jsonString: #"{"kind":"VIEW","count":"3"}"#)
        #expect(event.kind == .view)
        #expect(event.count == 3)
        #expect(try event.jsonString() == #"{"kind":"VIEW","count":"3"}"#)
        #expect(try ConversionEvent(jsonString: #"{"kind":2,"count":3}"#).kind == .payment)
    }

    @Test("null means that a field is not set")
    func null() throws {
        let text = #"{"caseId":null,"checkoutId":null,"period":null,"deadline":null}"#
        #expect(try ReportRequest(jsonString: text) == ReportRequest())
        #expect(try GetReportResponse(jsonString: #"{"report":null,"status":{}}"#).result != nil)
    }

    @Test(
        "Integers may be written as 1.0, 1e3 or in quotes",
        arguments: [
            ("7", 7), ("\"7\"", 7), ("7.0", 7), ("7e2", 700), ("-0", 0), ("0.7e1", 7),
            ("9223372036854775807", .max), ("\"-9223372036854775808\"", .min),
        ] as [(String, Int64)])
    func integers(text: String, value: Int64) throws {
        #expect(try Report(jsonString: "{\"viewsCount\":\(text)}").viewsCount == value)
    }

    @Test(
        "Numbers that JSON has no word for are words",
        arguments: [
            ("\"NaN\"", Double.nan), ("\"Infinity\"", .infinity), ("\"-Infinity\"", -.infinity),
        ])
    func specialNumbers(text: String, value: Double) throws {
        let report = try Report(jsonString: "{\"conversionRatio\":\(text)}")
        #expect(report.conversionRatio?.bitPattern == value.bitPattern)
        #expect(try report.jsonString() == "{\"conversionRatio\":\(text)}")
    }

    @Test("Strings are escaped where they must be, and every escape is read")
    func strings() throws {
        let text = "a\"\\/\u{8}\u{C}\n\r\t\u{0}\u{1F}\u{7F}é日😀\u{2028}"
        let report = Report.with { $0.productID = text }
        let json = try report.jsonString()
        #expect(
            json == "{\"productId\":\"a\\\"\\\\/\\u0008\\u000c\\n\\r\\t\\u0000\\u001f\\u007f"
                + "é日😀\u{2028}\"}")
        #expect(try Report(jsonString: json) == report)
        let escaped = #"{"productId":"\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00\u65E5"}"#
        #expect(
            try Report(jsonString: escaped).productID == "\"\\/\u{8}\u{C}\n\r\té😀日")
    }

    @Test("Bytes are base64; the URL-safe alphabet and missing padding are read too")
    func bytes() throws {
        let wrapped = Google_Protobuf_BytesValue([0xFB, 0xFF, 0xFE, 0])
        #expect(try wrapped.jsonString() == "\"+//+AA==\"")
        for text in ["+//+AA==", "-__-AA", "+//+AA"] {
            #expect(try Google_Protobuf_BytesValue(jsonString: "\"\(text)\"") == wrapped)
        }
    }

    @Test("Unknown fields and enum values are skipped where the options say so")
    func ignoringUnknown() throws {
        var options = JSONDecodingOptions()
        options.ignoreUnknownFields = true
        let text = #"{"x":{"y":[1,"a",null,true,{"z":-1.5e-3}]},"kind":"CLICK","eventId":"e"}"#
        let event = try ConversionEvent(jsonString: text, options: options)
        #expect(event == .with { $0.eventID = "e" })
    }

    @Test("A slice is read in place, whatever its indices")
    func slices() throws {
        let padded = Array(("xx" + Self.requestText + "x").utf8)
        let read = try ReportRequest(jsonUTF8Bytes: padded[2..<padded.count - 1])
        #expect(read == BinaryFormatTests.request)
    }
}
