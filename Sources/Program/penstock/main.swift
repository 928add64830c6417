import PenstockCommand

await PenstockCommand.main(Array(CommandLine.arguments.dropFirst()))
