import ForeignStages
import Glibc
import PenstockCommand
import PipelineCore
import StandardCatalogue

var catalogue = Catalogue.standard
catalogue.stages += [KeepStage.self, TallyStage.self]
catalogue.errorCodes += ErrorCode.ofForeignStages
exit(await PenstockCommand.main(Array(CommandLine.arguments.dropFirst()), catalogue: catalogue))
