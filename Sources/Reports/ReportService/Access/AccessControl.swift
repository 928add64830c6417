public import GRPCTransport
public import Identity
internal import Logging
public import PipelineCore

/// Lets callers in by their credentials, and tells the log of those who are not.
///
/// Whoever is refused learns that he is, and not why: the log says it, a line a reason and a minute
/// at most, without anything of the credential.
public final class AccessControl: Sendable {
    private static let header = "authorization"

    private let authenticator: Authenticator?
    private let log: LibraryLog

    /// - Parameters:
    ///   - sources: where credentials are looked up; nobody is asked for one where it is empty.
    ///   - log: takes what is refused, and what becomes of the files.
    /// - Throws: ``PipelineError`` `unusable-credentials` for a file that can't be used.
    public init(
        _ sources: CredentialSources, clock: PipelineClock, log: LibraryLog
    ) throws(PipelineError) {
        self.log = log
        if sources.isEmpty {
            authenticator = nil
            return
        }
        do throws(CredentialFileError) {
            authenticator = try Authenticator(
                sources, now: { clock.timestamp.microseconds / 1_000_000 }
            ) { change in
                switch change {
                case .read(let path): log.log(.notice, path, "\(path) was read anew")
                case .refused(let error):
                    log.log(
                        .error, error.message, "\(error.message): what was in it before goes on")
                }
            }
        } catch {
            throw PipelineError(.unusableCredentials, error.message, cause: error)
        }
    }

    /// What there is to let callers in by, for people; `nil` where everybody may do everything.
    public var summary: String? { authenticator?.summary }

    /// Who calls, if he may.
    ///
    /// - Returns: `nil` where nobody is asked who he is, and everybody may do everything.
    /// - Throws: UNAUTHENTICATED without a credential that is good now, PERMISSION_DENIED where the
    ///   caller's role has no such permission.
    public func caller(
        _ context: borrowing CallContext, permission: Permission
    ) throws(GRPCStatusError) -> Caller? {
        guard let authenticator else { return nil }
        let caller: Caller
        do throws(CredentialRefusal) {
            caller = try authenticator.caller(context.metadataBytes(Self.header))
        } catch {
            log.log(.warning, error.reason, "a caller was refused: \(error.reason)")
            throw GRPCStatusError(
                .unauthenticated,
                "a credential is needed that is good here, as metadata: authorization: Bearer …",
                because: .unauthenticated)
        }
        guard caller.role.may(permission) else {
            throw .permissionDenied("the role \(caller.role.rawValue) may not call \(context.path)")
        }
        return caller
    }
}

extension GRPCStatusError {
    static func permissionDenied(_ sentence: String) -> GRPCStatusError {
        GRPCStatusError(.permissionDenied, sentence, because: .permissionDenied)
    }
}
