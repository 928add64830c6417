internal import CGRPC
internal import Glibc

/// The settings of a channel or server in the C core's form.
///
/// See <https://grpc.github.io/grpc/core/group__grpc__arg__keys.html>.
@safe
struct ChannelArguments: ~Copyable {
    private let arguments: UnsafeMutableBufferPointer<grpc_arg>

    init(_ values: KeyValuePairs<String, Int>) {
        unsafe arguments = .allocate(capacity: values.count)
        for (index, (key, value)) in values.enumerated() {
            var argument = unsafe grpc_arg()
            unsafe argument.type = GRPC_ARG_INTEGER
            unsafe argument.key = strdup(key)
            unsafe argument.value.integer = Int32(clamping: value)
            unsafe arguments.initializeElement(at: index, to: argument)
        }
    }

    deinit {
        for index in unsafe arguments.indices { unsafe free(arguments[index].key) }
        unsafe arguments.deallocate()
    }

    /// Lends the settings for the time of one call of the C core, which copies them.
    borrowing func withPointer<Result>(
        _ body: (UnsafePointer<grpc_channel_args>) -> Result
    ) -> Result {
        var all = unsafe grpc_channel_args(
            num_args: arguments.count, args: arguments.baseAddress)
        return unsafe body(&all)
    }
}

extension Duration {
    /// Whole milliseconds, as the C core counts them; at least 1.
    var wholeMilliseconds: Int {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        return overflow
            ? Int(Int32.max) : max(1, Int(product + attoseconds / 1_000_000_000_000_000))
    }
}
