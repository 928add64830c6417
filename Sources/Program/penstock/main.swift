import Glibc
import PenstockCommand

exit(await PenstockCommand.main(Array(CommandLine.arguments.dropFirst())))
