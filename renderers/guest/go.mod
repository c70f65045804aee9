module sluice.dev/renderers/guest

go 1.26.0
