import CommandLineInterface
import Testing

@Suite("Completions")
struct CompletionTests {
    @Test("for bash know commands, options, choices and files")
    func bash() {
        let script = Shell.bash.completion(for: Program.root)
        #expect(script.contains(#""run" | "stages" | "completion" | "stages show") path="#))
        #expect(
            script.contains("--start) COMPREPLY=($(compgen -W 'earliest latest' -- \"$current\"))"))
        #expect(script.contains("--output) COMPREPLY=($(compgen -f -- \"$current\"))"))
        #expect(script.contains("compgen -W 'bash zsh fish'"))
        #expect(script.contains("complete -o default -F _penstock penstock"))
    }

    @Test("for zsh know commands, options, choices and files")
    func zsh() {
        let script = Shell.zsh.completion(for: Program.root)
        #expect(script.hasPrefix("#compdef penstock\n"))
        #expect(script.contains("'run:Runs a pipeline until it is told to stop.'"))
        #expect(script.contains("(earliest latest)'"))
        #expect(script.contains("'*:FILE:_files'"))
        #expect(script.contains("'--token=[What opens the door.]:text:'"))
        #expect(script.contains("_penstock_stages_show() {"))
    }

    @Test("for fish know commands, options, choices and files")
    func fish() {
        let script = Shell.fish.completion(for: Program.root)
        #expect(script.contains("-l start -x -a 'earliest latest'"))
        #expect(script.contains("-l output -r -F"))
        #expect(
            script.contains("-n 'not __fish_seen_subcommand_from run stages completion' -a run"))
        #expect(
            script.contains("A stage\\'s reference")
                || script.contains("Shows a stage\\'s reference"))
    }

    @Test("are printed by a command of the tree")
    func command() async {
        let printed = Printed()
        #expect(
            await Program.root.run(["completion", "fish"], console: printed.console) == .success)
        #expect(printed.out == Shell.fish.completion(for: Program.root))
        #expect(await Program.root.run(["completion", "tcsh"], console: printed.console) == .usage)
    }
}
