internal import CGRPC

/// One unary call of a client: everything in one batch, and one completion.
///
/// `Sendable`: the C core writes before the completion, which is the only reader.
@safe
final class UnaryExchange: Completion, @unchecked Sendable {
    @unsafe
    private struct Memory {
        var metadata = unsafe grpc_metadata_array()
        var message: UnsafeMutablePointer<grpc_byte_buffer>? = nil
    }

    private let memory: UnsafeMutablePointer<Memory>
    private let status = ReceivedStatus()
    private let call: CallHandle
    private let metadata: MetadataBuffer
    private let onEnd: @Sendable (Result<[UInt8], GRPCStatusError>) -> Void

    init(
        _ call: CallHandle, _ metadata: MetadataBuffer,
        onEnd: @escaping @Sendable (Result<[UInt8], GRPCStatusError>) -> Void
    ) {
        unsafe memory = .allocate(capacity: 1)
        unsafe memory.initialize(to: Memory())
        unsafe grpc_metadata_array_init(&memory.pointee.metadata)
        self.call = call
        self.metadata = metadata
        self.onEnd = onEnd
    }

    deinit {
        if let message = unsafe memory.pointee.message { unsafe grpc_byte_buffer_destroy(message) }
        unsafe grpc_metadata_array_destroy(&memory.pointee.metadata)
        unsafe memory.deallocate()
    }

    func start(_ request: [UInt8], waitForReady: Bool) {
        var batch = OperationBatch()
        batch.sendInitialMetadata(metadata, waitForReady: waitForReady)
        batch.sendMessage(ByteBuffer(copying: request))
        batch.sendCloseFromClient()
        unsafe withUnsafeMutablePointer(to: &memory.pointee.metadata) {
            unsafe batch.receiveInitialMetadata($0)
        }
        unsafe withUnsafeMutablePointer(to: &memory.pointee.message) {
            unsafe batch.receiveMessage($0)
        }
        unsafe batch.receiveStatus(status.memory)
        unsafe batch.start(on: call.pointer, tag: self)
    }

    override func complete(succeeded: Bool) { onEnd(outcome()) }

    private func outcome() -> Result<[UInt8], GRPCStatusError> {
        if let error = status.error { return .failure(error) }
        guard let message = unsafe memory.pointee.message,
            let bytes = unsafe ByteBuffer.withBytes(of: message, { Array(copying: $0) })
        else {
            return .failure(GRPCStatusError(.internal, "the reply carries no readable message"))
        }
        return .success(bytes)
    }
}
