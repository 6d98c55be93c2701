// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "shout",
    products: [.library(name: "stage-shout", type: .dynamic, targets: ["Shout"])],
    dependencies: [.package(name: "stagehost", path: "../../..")],
    targets: [.target(name: "Shout", dependencies: [.product(name: "StageKit", package: "stagehost")])]
)
