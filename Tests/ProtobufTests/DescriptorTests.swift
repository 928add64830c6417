import Protobuf
import ReportMessages
import Testing

@Suite("Descriptors")
struct DescriptorTests {
    @Test("Every file comes after those that it imports")
    func order() {
        var seen: Set<String> = []
        for file in ReportDescriptors.files {
            #expect(seen.isSuperset(of: file.dependencies), "\(file.name)")
            seen.insert(file.name)
        }
        #expect(seen.contains("conversionreports/v1/report_service.proto"))
        #expect(seen.contains("google/protobuf/timestamp.proto"))
    }

    @Test(
        "Services, methods, messages, fields and enum values can be found by name",
        arguments: [
            ("conversionreports.v1.ReportService", "report_service"),
            ("conversionreports.v1.ReportService.GetReport", "report_service"),
            ("conversionreports.v1.GetReportResponse.result", "report_service"),
            ("conversionreports.v1.ReportGeneratorService", "report_generator_service"),
            ("conversionreports.v1.ConversionEvent.Kind", "conversion_event"),
            ("conversionreports.v1.ConversionEvent.VIEW", "conversion_event"),
            ("conversionreports.v1.REPORT_STATE_PENDING", "report_status"),
            ("conversionreports.v1.Report.conversion_ratio", "report"),
        ])
    func symbols(symbol: String, file: String) {
        let found = ReportDescriptors.files.filter { $0.symbols.contains(symbol) }
        #expect(found.map(\.name) == ["conversionreports/v1/\(file).proto"])
    }

    @Test("A damaged descriptor is an error")
    func damaged() {
        let bytes = Array(ReportDescriptors.files[0].serialized.dropLast())
        #expect(throws: ProtobufError.self) { try FileDescriptor(serialized: bytes) }
    }

    @Test("A method knows its path")
    func methods() {
        #expect(
            ReportServiceMethods.getReport.path
                == "/conversionreports.v1.ReportService/GetReport")
        #expect(
            ReportGeneratorServiceMethods.generateReports.path
                == "/conversionreports.v1.ReportGeneratorService/GenerateReports")
    }
}
