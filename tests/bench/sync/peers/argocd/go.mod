module sluice.dev/bench/sync/argocd

go 1.26.0
