internal import Glibc
internal import PipelineCore

extension KafkaSettings {
    /// What librdkafka reads where it encrypts, and finds missing only when a client is made.
    var files: [ResourceFile] {
        guard properties["security.protocol"]?.lowercased().hasSuffix("ssl") == true else {
            return []
        }
        let names = ["ca", "certificate", "key", "keystore", "crl"].map { "ssl.\($0).location" }
        return names.compactMap { name in
            // The authorities may also be a folder, or the system's.
            guard let path = properties[name], !path.isEmpty, path != "probe",
                name != "ssl.ca.location" || !Self.isFolder(path)
            else { return nil }
            return ResourceFile(property: name, path: path)
        }
    }

    private static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }
}
