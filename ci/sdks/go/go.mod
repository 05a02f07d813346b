module marginlake.example/app

go 1.24
