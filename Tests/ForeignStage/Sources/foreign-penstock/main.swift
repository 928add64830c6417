import ForeignStages
import PenstockCommand
import PipelineCore
import StandardCatalogue

var catalogue = Catalogue.standard
catalogue.stages += [KeepStage.self, TallyStage.self]
catalogue.errorCodes += ErrorCode.ofForeignStages
await PenstockCommand.main(Array(CommandLine.arguments.dropFirst()), catalogue: catalogue)
