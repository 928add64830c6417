internal import CRdKafka
internal import PipelineCore
internal import Synchronization

extension KafkaConsumer {
    enum Taken {
        case fetch(Fetch)
        /// Nothing to hand out, but something happened: look again.
        case again
        case nothing
    }

    /// Takes what has arrived, within the subscription's limits.
    /// - Throws: what librdkafka reports about the subscription.
    func take() throws(PipelineError) -> Taken {
        let result: Result<Taken, PipelineError> = buffer.withLock { buffer in
            if buffer.count == 0 { buffer.fill(from: queue) }
            // Filling serves callbacks, and the changes they bring come first.
            if events.rebalances.first != nil { return .success(.again) }
            if buffer.count == 0 { return .success(.nothing) }
            var builder = FetchBuilder(
                topic: topic, source: progress.withLock(\.source), capacity: buffer.count)
            let (seen, failure) = progress.withLock { progress in
                select(into: &builder, from: buffer, &progress)
            }
            if let failure {
                buffer.remove(first: seen)
                return .failure(failure)
            }
            if builder.count == 0 {
                buffer.remove(first: seen)
                return .success(.again)
            }
            let (fetch, ends) = builder.build(from: buffer)
            progress.withLock { progress in
                for end in ends {
                    progress.continuity.note(first: end.first, last: end.last, of: end.partition)
                }
            }
            buffer.remove(first: seen)
            return .success(.fetch(fetch))
        }
        if case .success(.fetch) = result {
            events.faults.recovered()
            reminder.withLock { $0.recordsTaken() }
        }
        reminder.withLock { $0.remind(client, queue, now: clock.now) }
        return try result.get()
    }

    /// Chooses messages for a fetch.
    ///
    /// - Returns: how many messages of the buffer are dealt with, and the error that one of them
    ///   is; with an error nothing has been chosen.
    private func select(
        into builder: inout FetchBuilder, from buffer: borrowing MessageBuffer,
        _ progress: inout ConsumerProgress
    ) -> (seen: Int, failure: PipelineError?) {
        var index = 0
        while index < buffer.count {
            let (code, partition, offset, size) = unsafe buffer.withPointer(at: index) {
                let message = unsafe $0.pointee
                return unsafe (message.err, message.partition, message.offset, message.len)
            }
            if code != RD_KAFKA_RESP_ERR_NO_ERROR {
                // An error waits until what came before it is handed out.
                if builder.count > 0 { break }
                if let failure = report(code, of: buffer, index, &progress) {
                    return (index + 1, failure)
                }
            } else {
                let bytes = builder.payloadBytes + size
                if builder.count > 0 && bytes > subscription.maxBytes { break }
                if let expected = progress.admit(partition, offset) {
                    builder.add(index, of: buffer, expected: expected)
                }
            }
            index += 1
        }
        return (index, nil)
    }

    /// - Returns: `nil` for errors that need nobody's attention but the log's.
    private func report(
        _ code: rd_kafka_resp_err_t, of buffer: borrowing MessageBuffer, _ index: Int,
        _ progress: inout ConsumerProgress
    ) -> PipelineError? {
        let reason = unsafe buffer.withPointer(at: index) {
            unsafe String(cString: rd_kafka_message_errstr($0))
        }
        switch code {
        case RD_KAFKA_RESP_ERR__PARTITION_EOF:
            let (partition, offset) = unsafe buffer.withPointer(at: index) {
                unsafe ($0.pointee.partition, $0.pointee.offset)
            }
            progress.reachedEnd(partition, offset)
            return nil
        case RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED:
            // The group took the partitions away and gives some back with the next assignment.
            events.note(4, "MAXPOLL", reason)
            return nil
        default: break
        }
        let error = PipelineError.kafka(code, "reading \(topic)", reason)
        guard error.code == .topicMissing else { return error }
        progress.isTopicMissing = true
        return nil
    }
}
